# ingest: source → CSV and a log entry in the ingestion bucket.

module "ingest" {
  source = "./modules/stage"

  stage           = "ingest"
  pipeline        = local.pipeline
  bundle          = "${var.bundles}/ingest.zip"
  timeout_seconds = var.timeout_seconds.ingest
  memory_mb       = var.memory_mb.ingest
  range_mb        = var.range_mb
  policy          = data.aws_iam_policy_document.ingest.json

  environment = {
    INGESTION_BUCKET  = module.ingestion.name
    SOURCE_SECRET_ARN = var.source_secret_arn
    SOURCE_SCHEMA     = var.source_schema
    SOURCE_URL        = var.source_url
  }
}

data "aws_iam_policy_document" "ingest" {
  statement {
    sid       = "Write"
    actions   = ["s3:PutObject"]
    resources = [for prefix in ["log", "data", "split", "state"] : "${module.ingestion.arn}/${prefix}/*"]
  }

  statement {
    sid       = "Read"
    actions   = ["s3:GetObject"]
    resources = [for prefix in ["log", "data", "split", "state"] : "${module.ingestion.arn}/${prefix}/*"]
  }

  # Objects of its own that no entry names, and the notes of alerts that are over.
  statement {
    sid       = "Delete"
    actions   = ["s3:DeleteObject"]
    resources = ["${module.ingestion.arn}/data/*", "${module.ingestion.arn}/state/alerts/*"]
  }

  statement {
    sid       = "Abort"
    actions   = ["s3:AbortMultipartUpload"]
    resources = ["${module.ingestion.arn}/data/*"]
  }

  # All that it reads: S3 says 404 for a missing object to whom it would list it, with the key as the prefix, and 403 to others.
  statement {
    sid       = "List"
    actions   = ["s3:ListBucket"]
    resources = [module.ingestion.arn]

    condition {
      test     = "StringLike"
      variable = "s3:prefix"
      values   = ["log/*", "data/*", "split/*", "state/*"]
    }
  }

  statement {
    sid       = "Secret"
    actions   = ["secretsmanager:GetSecretValue"]
    resources = [var.source_secret_arn]
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

resource "aws_scheduler_schedule" "ingest" {
  name                = "${var.name_prefix}-ingest"
  group_name          = aws_scheduler_schedule_group.starling.name
  description         = "Looks at the source"
  schedule_expression = var.schedule_expression
  state               = local.schedule_state

  flexible_time_window {
    mode = "OFF"
  }

  target {
    arn      = module.ingest.function_arn
    role_arn = aws_iam_role.scheduler.arn
    input    = jsonencode({ wake = "schedule" })

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
