# EventBridge Scheduler wakes the stages; which and when is in the file of each.

resource "aws_scheduler_schedule_group" "starling" {
  name = var.name_prefix
}

# What Scheduler could not hand over to Lambda. As any event is only a wake-up, it is thrown away after a day.
resource "aws_sqs_queue" "schedule_dead_letters" {
  name                      = "${var.name_prefix}-schedule-dead-letters"
  message_retention_seconds = 86400
  sqs_managed_sse_enabled   = true
}

data "aws_iam_policy_document" "scheduler_trust" {
  statement {
    actions = ["sts:AssumeRole"]

    principals {
      type        = "Service"
      identifiers = ["scheduler.amazonaws.com"]
    }

    # Only for schedules of this group.
    condition {
      test     = "StringEquals"
      variable = "aws:SourceAccount"
      values   = [local.account]
    }

    condition {
      test     = "ArnEquals"
      variable = "aws:SourceArn"
      values   = [aws_scheduler_schedule_group.starling.arn]
    }
  }
}

data "aws_iam_policy_document" "scheduler" {
  statement {
    sid       = "Wake"
    actions   = ["lambda:InvokeFunction"]
    resources = [for stage in local.functions : stage.function_arn]
  }

  statement {
    sid       = "DeadLetters"
    actions   = ["sqs:SendMessage"]
    resources = [aws_sqs_queue.schedule_dead_letters.arn]
  }
}

resource "aws_iam_role" "scheduler" {
  name                 = "${var.name_prefix}-scheduler"
  description          = "Wakes the stages of ${var.name_prefix}"
  assume_role_policy   = data.aws_iam_policy_document.scheduler_trust.json
  permissions_boundary = var.permissions_boundary_arn
}

resource "aws_iam_role_policy" "scheduler" {
  name   = "wake"
  role   = aws_iam_role.scheduler.id
  policy = data.aws_iam_policy_document.scheduler.json
}

locals {
  schedule_state = var.paused ? "DISABLED" : "ENABLED"
}
