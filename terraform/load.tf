# load: the processed bucket's batches → the warehouse.

module "load" {
  source = "./modules/stage"

  stage           = "load"
  pipeline        = local.pipeline
  bundle          = "${var.bundles}/load.zip"
  timeout_seconds = var.timeout_seconds.load
  memory_mb       = var.memory_mb.load
  range_mb        = var.range_mb / 8 # Parquet is smaller than the tables and the CSV, by about that
  policy          = data.aws_iam_policy_document.load.json

  environment = {
    INGESTION_BUCKET     = module.ingestion.name
    PROCESSED_BUCKET     = module.processed.name
    WAREHOUSE_SECRET_ARN = var.warehouse_secret_arn
    WAREHOUSE_SCHEMA     = var.warehouse_schema
    WAREHOUSE_URL        = var.warehouse_url
  }
}

data "aws_iam_policy_document" "load" {
  # When ingest last looked, for the freshness.
  statement {
    sid       = "ReadIngestion"
    actions   = ["s3:GetObject"]
    resources = ["${module.ingestion.arn}/state/ingest.json"]
  }

  # That object only. It is not there before the first look: S3 says 404 for it to whom it would list it, and 403 to others.
  statement {
    sid       = "ListIngestion"
    actions   = ["s3:ListBucket"]
    resources = [module.ingestion.arn]

    condition {
      test     = "StringEquals"
      variable = "s3:prefix"
      values   = ["state/ingest.json"]
    }
  }

  statement {
    sid       = "Read"
    actions   = ["s3:GetObject"]
    resources = [for prefix in ["log", "data", "state"] : "${module.processed.arn}/${prefix}/*"]
  }

  statement {
    sid       = "Write"
    actions   = ["s3:PutObject"]
    resources = ["${module.processed.arn}/state/*"]
  }

  # The notes of alerts that are over.
  statement {
    sid       = "Delete"
    actions   = ["s3:DeleteObject"]
    resources = ["${module.processed.arn}/state/alerts/*"]
  }

  # All that it reads: S3 says 404 for a missing object to whom it would list it, with the key as the prefix, and 403 to others.
  statement {
    sid       = "List"
    actions   = ["s3:ListBucket"]
    resources = [module.processed.arn]

    condition {
      test     = "StringLike"
      variable = "s3:prefix"
      values   = ["log/*", "data/*", "skip/*", "state/*"]
    }
  }

  statement {
    sid       = "Secret"
    actions   = ["secretsmanager:GetSecretValue"]
    resources = [var.warehouse_secret_arn]
  }

  dynamic "statement" {
    for_each = length(var.secret_kms_key_arns) > 0 ? ["key"] : []

    content {
      sid       = "SecretKey"
      actions   = ["kms:Decrypt"]
      resources = var.secret_kms_key_arns

      condition {
        test     = "StringEquals"
        variable = "kms:ViaService"
        values   = ["secretsmanager.${local.region}.amazonaws.com"]
      }
    }
  }
}

# An entry in the processed bucket's log wakes it.
resource "aws_lambda_permission" "load" {
  statement_id   = "EntriesOfTheProcessedBucket"
  action         = "lambda:InvokeFunction"
  function_name  = module.load.function_name
  principal      = "s3.amazonaws.com"
  source_arn     = module.processed.arn
  source_account = local.account
}

resource "aws_s3_bucket_notification" "processed" {
  bucket = module.processed.name

  lambda_function {
    id                  = "load"
    lambda_function_arn = module.load.function_arn
    events              = ["s3:ObjectCreated:*"]
    filter_prefix       = "log/"
    filter_suffix       = ".json"
  }

  depends_on = [aws_lambda_permission.load]
}

resource "aws_scheduler_schedule" "load" {
  name                = "${var.name_prefix}-load"
  group_name          = aws_scheduler_schedule_group.starling.name
  description         = "Looks for batches of which no event told, and measures the freshness"
  schedule_expression = var.sweep_expression
  state               = local.schedule_state

  flexible_time_window {
    mode = "OFF"
  }

  target {
    arn      = module.load.function_arn
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
