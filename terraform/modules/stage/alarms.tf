locals {
  logs = "Logs: /aws/lambda/${local.name}, in Logs Insights filter level = \"ERROR\"."
}

resource "aws_cloudwatch_metric_alarm" "errors" {
  alarm_name = "${local.name}-errors"
  alarm_description = join(" ", [
    "The stage ${var.stage} of ${var.pipeline.name_prefix} failed or ran out of time (time-outs count as errors); an SMS of its own names batch and error kind, unless it was killed.",
    "Nothing is lost: later batches wait, and every wake-up tries again.",
    "Do what the SMS or the log's error kind says; with neither, see whether it timed out. ${local.logs}",
    "${var.pipeline.runbook_url}#errors",
  ])

  namespace           = "AWS/Lambda"
  metric_name         = "Errors"
  dimensions          = { FunctionName = aws_lambda_function.this.function_name }
  statistic           = "Sum"
  period              = 300
  evaluation_periods  = 4 # ingest is woken every 15 minutes: with one period this would go back to OK and ring again at every look
  datapoints_to_alarm = 1 # but the first error rings
  comparison_operator = "GreaterThanThreshold"
  threshold           = 0
  treat_missing_data  = "notBreaching" # not invoked, no error; the freshness alarm tells that
  alarm_actions       = [var.pipeline.topic_arn]
}

resource "aws_cloudwatch_metric_alarm" "duration" {
  alarm_name = "${local.name}-duration"
  alarm_description = join(" ", [
    "The stage ${var.stage} of ${var.pipeline.name_prefix} took more than 80 % of its ${var.timeout_seconds} s. Expected while a first load or a backlog is worked off.",
    "Otherwise one batch comes close to what an invocation can do, and over the limit it would never end: raise timeout_seconds (to 900) or memory_mb, and look up which table has grown. ${local.logs}",
    "${var.pipeline.runbook_url}#duration",
  ])

  namespace           = "AWS/Lambda"
  metric_name         = "Duration"
  dimensions          = { FunctionName = aws_lambda_function.this.function_name }
  statistic           = "Maximum"
  period              = 300
  evaluation_periods  = 1
  comparison_operator = "GreaterThanThreshold"
  threshold           = var.timeout_seconds * 1000 * 0.8 # ms
  treat_missing_data  = "notBreaching"
  alarm_actions       = [var.pipeline.topic_arn]
}

resource "aws_cloudwatch_metric_alarm" "range_dead_letters" {
  alarm_name = "${local.name}-range-dead-letters"
  alarm_description = join(" ", [
    "Ranges of a large batch came to nothing, five deliveries each: the queue ${aws_sqs_queue.range_dead_letters.name} is not empty.",
    "The data is safe: the batch is not committed, and the stage sends what is missing again. Do what the SMS or the log's error kind says, then purge the queue: until then this alarm cannot ring again. ${local.logs}",
    "${var.pipeline.runbook_url}#range-dead-letters",
  ])

  namespace           = "AWS/SQS"
  metric_name         = "ApproximateNumberOfMessagesVisible"
  dimensions          = { QueueName = aws_sqs_queue.range_dead_letters.name }
  statistic           = "Maximum"
  period              = 300
  evaluation_periods  = 1
  comparison_operator = "GreaterThanThreshold"
  threshold           = 0
  treat_missing_data  = "notBreaching" # never used
  alarm_actions       = [var.pipeline.topic_arn]
}

resource "aws_cloudwatch_metric_alarm" "range_age" {
  alarm_name = "${local.name}-range-age"
  alarm_description = join(" ", [
    "A range of a large batch has waited for more than 6 hours in the queue ${aws_sqs_queue.ranges.name}. Expected where there are more of them than backfill_workers can do in that time.",
    "Otherwise the workers stand still: is the function throttled, or the event source mapping disabled? ${local.logs}",
    "${var.pipeline.runbook_url}#range-age",
  ])

  namespace           = "AWS/SQS"
  metric_name         = "ApproximateAgeOfOldestMessage"
  dimensions          = { QueueName = aws_sqs_queue.ranges.name }
  statistic           = "Maximum"
  period              = 300
  evaluation_periods  = 1
  comparison_operator = "GreaterThanThreshold"
  threshold           = 21600
  treat_missing_data  = "notBreaching" # no range, nothing waits
  actions_enabled     = !var.pipeline.paused
  alarm_actions       = [var.pipeline.topic_arn]
}
