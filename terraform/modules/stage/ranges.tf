# A batch that is too large for one invocation is done in ranges, by workers: the same function, woken by a queue of its own. A message is one
# range. Nothing hangs on one: the stage's next look sends what is missing again.

resource "aws_sqs_queue" "ranges" {
  name                       = "${local.name}-ranges"
  visibility_timeout_seconds = 6 * var.timeout_seconds # AWS' advice; a worker shortens it to what is left of its own time
  message_retention_seconds  = 345600                  # 4 days
  sqs_managed_sse_enabled    = true

  # Resources of their own, below; moto gives the one back in another order, which would be a difference with each plan.
  lifecycle {
    ignore_changes = [policy, redrive_policy]
  }
}

# Ranges that five deliveries did not get done.
resource "aws_sqs_queue" "range_dead_letters" {
  name                      = "${local.name}-range-dead-letters"
  message_retention_seconds = 1209600 # 14 days, from when it was first sent
  sqs_managed_sse_enabled   = true
}

resource "aws_sqs_queue_redrive_policy" "ranges" {
  queue_url = aws_sqs_queue.ranges.id
  redrive_policy = jsonencode({
    deadLetterTargetArn = aws_sqs_queue.range_dead_letters.arn
    maxReceiveCount     = 5 # being throttled uses them up as well: AWS' advice
  })
}

# It gives nothing: role and queue are of one account, so that the role's own policy is enough.
data "aws_iam_policy_document" "queue" {
  for_each = { ranges = aws_sqs_queue.ranges.arn, dead_letters = aws_sqs_queue.range_dead_letters.arn }

  statement {
    sid       = "OnlyOverTls"
    effect    = "Deny"
    actions   = ["sqs:*"]
    resources = [each.value]

    principals {
      type        = "*"
      identifiers = ["*"]
    }

    condition {
      test     = "Bool"
      variable = "aws:SecureTransport"
      values   = ["false"]
    }
  }

  # Nor a service of AWS: Lambda comes with the function's role.
  statement {
    sid       = "OnlyThisAccount"
    effect    = "Deny"
    actions   = ["sqs:*"]
    resources = [each.value]

    principals {
      type        = "*"
      identifiers = ["*"]
    }

    condition {
      test     = "StringNotEquals"
      variable = "aws:PrincipalAccount"
      values   = [var.pipeline.account]
    }
  }
}

resource "aws_sqs_queue_policy" "ranges" {
  queue_url  = aws_sqs_queue.ranges.id
  policy     = data.aws_iam_policy_document.queue["ranges"].json
  depends_on = [aws_sqs_queue_redrive_policy.ranges] # moto forgets a policy when another attribute is set
}

resource "aws_sqs_queue_policy" "range_dead_letters" {
  queue_url  = aws_sqs_queue.range_dead_letters.id
  policy     = data.aws_iam_policy_document.queue["dead_letters"].json
  depends_on = [aws_sqs_queue_redrive_policy.ranges]
}

resource "aws_lambda_event_source_mapping" "ranges" {
  function_name           = aws_lambda_function.this.function_name
  event_source_arn        = aws_sqs_queue.ranges.arn
  batch_size              = 1 # a range is as much as an invocation should do
  function_response_types = ["ReportBatchItemFailures"]
  enabled                 = !var.pipeline.paused && !var.pipeline.emulated # moto would take the messages itself

  scaling_config {
    maximum_concurrency = var.pipeline.backfill_workers
  }

  # It asks AWS whether the role may receive and delete, when it is made.
  depends_on = [aws_iam_role_policy.common]
}
