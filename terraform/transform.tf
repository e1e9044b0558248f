# transform: the ingestion bucket's batches → Parquet and a log entry in the processed bucket.

module "transform" {
  source = "./modules/stage"

  stage           = "transform"
  pipeline        = local.pipeline
  bundle          = "${var.bundles}/transform.zip"
  timeout_seconds = var.timeout_seconds.transform
  memory_mb       = var.memory_mb.transform
  range_mb        = var.range_mb
  policy          = data.aws_iam_policy_document.transform.json

  environment = {
    INGESTION_BUCKET = module.ingestion.name
    PROCESSED_BUCKET = module.processed.name
  }
}

data "aws_iam_policy_document" "transform" {
  statement {
    sid       = "ReadIngestion"
    actions   = ["s3:GetObject"]
    resources = [for prefix in ["log", "data"] : "${module.ingestion.arn}/${prefix}/*"]
  }

  # All that it reads: S3 says 404 for a missing object to whom it would list it, with the key as the prefix, and 403 to others.
  statement {
    sid       = "ListIngestion"
    actions   = ["s3:ListBucket"]
    resources = [module.ingestion.arn]

    condition {
      test     = "StringLike"
      variable = "s3:prefix"
      values   = ["log/*", "data/*"]
    }
  }

  statement {
    sid       = "Write"
    actions   = ["s3:PutObject"]
    resources = [for prefix in ["log", "data", "mirror", "split", "state"] : "${module.processed.arn}/${prefix}/*"]
  }

  statement {
    sid       = "Read"
    actions   = ["s3:GetObject"]
    resources = [for prefix in ["log", "data", "mirror", "split", "state"] : "${module.processed.arn}/${prefix}/*"]
  }

  # The notes of alerts that are over.
  statement {
    sid       = "Delete"
    actions   = ["s3:DeleteObject"]
    resources = ["${module.processed.arn}/state/alerts/*"]
  }

  statement {
    sid       = "Abort"
    actions   = ["s3:AbortMultipartUpload"]
    resources = [for prefix in ["data", "mirror"] : "${module.processed.arn}/${prefix}/*"]
  }

  statement {
    sid       = "List"
    actions   = ["s3:ListBucket"]
    resources = [module.processed.arn]

    condition {
      test     = "StringLike"
      variable = "s3:prefix"
      values   = ["log/*", "data/*", "mirror/*", "skip/*", "split/*", "state/*"]
    }
  }
}

# An entry in the ingestion bucket's log wakes it.
resource "aws_lambda_permission" "transform" {
  statement_id   = "EntriesOfTheIngestionBucket"
  action         = "lambda:InvokeFunction"
  function_name  = module.transform.function_name
  principal      = "s3.amazonaws.com"
  source_arn     = module.ingestion.arn
  source_account = local.account
}

resource "aws_s3_bucket_notification" "ingestion" {
  bucket = module.ingestion.name

  lambda_function {
    id                  = "transform"
    lambda_function_arn = module.transform.function_arn
    events              = ["s3:ObjectCreated:*"]
    filter_prefix       = "log/"
    filter_suffix       = ".json"
  }

  depends_on = [aws_lambda_permission.transform]
}

resource "aws_scheduler_schedule" "transform" {
  name                = "${var.name_prefix}-transform"
  group_name          = aws_scheduler_schedule_group.starling.name
  description         = "Looks for batches of which no event told"
  schedule_expression = var.sweep_expression
  state               = local.schedule_state

  flexible_time_window {
    mode = "OFF"
  }

  target {
    arn      = module.transform.function_arn
    role_arn = aws_iam_role.scheduler.arn
    input    = jsonencode({ wake = "sweep" })

    retry_policy {
      maximum_event_age_in_seconds = 600
      maximum_retry_attempts       = 3
    }

    dead_letter_config {
      arn = aws_sqs_queue.schedule_dead_letters.arn
    }
  }

  depends_on = [aws_iam_role_policy.scheduler]
}
