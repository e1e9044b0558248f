locals {
  name = "${var.pipeline.name_prefix}-${var.stage}"
  # No subnet, no VPC.
  in_vpc = length(var.pipeline.subnets) > 0
}

# Before the function, which would otherwise create one that is kept for ever; so its role need not be able to.
resource "aws_cloudwatch_log_group" "this" {
  name              = "/aws/lambda/${local.name}"
  retention_in_days = var.pipeline.log_retention_days
}

resource "aws_lambda_function" "this" {
  function_name    = local.name
  description      = "Starling's stage ${var.stage}: any event is a wake-up"
  role             = aws_iam_role.this.arn
  filename         = var.bundle
  source_code_hash = filebase64sha256(var.bundle)
  handler          = "index.handler"
  runtime          = "nodejs22.x"
  architectures    = ["arm64"]
  timeout          = var.timeout_seconds
  memory_size      = var.memory_mb

  # null: not reserved.
  reserved_concurrent_executions = var.pipeline.reserved_concurrency

  environment {
    variables = merge({ for name, value in var.environment : name => value if value != null }, {
      ALERT_TOPIC_ARN = var.pipeline.topic_arn
      PIPELINE_NAME   = var.pipeline.name_prefix
      RANGE_QUEUE_URL = aws_sqs_queue.ranges.url
      RANGE_MB        = tostring(var.range_mb)
      NODE_OPTIONS    = "--enable-source-maps"
      # Amazon's certificate authorities, RDS' among them: since Node 20 the runtime has the file but does not read it by itself.
      NODE_EXTRA_CA_CERTS = "/var/runtime/ca-cert.pem"
    })
  }

  dynamic "vpc_config" {
    for_each = local.in_vpc ? ["in_vpc"] : []

    content {
      subnet_ids         = var.pipeline.subnets
      security_group_ids = var.pipeline.security_groups
    }
  }

  # With its rights from the first invocation, and until after the last: in a VPC Lambda needs them to clean up.
  depends_on = [aws_cloudwatch_log_group.this, aws_iam_role_policy.stage, aws_iam_role_policy.common]
}

# S3 and the schedules invoke asynchronously: Lambda keeps the event, tries again, and at last tells the queue.
resource "aws_lambda_function_event_invoke_config" "this" {
  function_name                = aws_lambda_function.this.function_name
  maximum_retry_attempts       = 2
  maximum_event_age_in_seconds = var.pipeline.maximum_event_age

  destination_config {
    on_failure {
      destination = var.pipeline.undelivered_queue_arn
    }
  }
}
