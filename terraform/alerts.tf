# Who is told, and by what: the stages publish what they know, the alarms are for what they cannot say.
# Alarms act on ALARM only, and there is one of a kind: an SMS carries little more than the alarm's name.

locals {
  alarm_arns = "arn:${local.partition}:cloudwatch:${local.region}:${local.account}:alarm:${var.name_prefix}-*"
}

resource "aws_sns_topic" "alerts" {
  name              = "${var.name_prefix}-alerts"
  display_name      = "Starling" # an SMS begins with it
  kms_master_key_id = aws_kms_key.starling.arn
}

# The stages need no statement here: they are of this account, and their roles allow it.
data "aws_iam_policy_document" "alerts" {
  statement {
    sid       = "AlarmsPublish"
    actions   = ["sns:Publish"]
    resources = [aws_sns_topic.alerts.arn]

    principals {
      type        = "Service"
      identifiers = ["cloudwatch.amazonaws.com"]
    }

    condition {
      test     = "StringEquals"
      variable = "aws:SourceAccount"
      values   = [local.account]
    }

    condition {
      test     = "ArnLike"
      variable = "aws:SourceArn"
      values   = [local.alarm_arns]
    }
  }

  statement {
    sid       = "OnlyOverTls"
    effect    = "Deny"
    actions   = ["sns:Publish"]
    resources = [aws_sns_topic.alerts.arn]

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
}

resource "aws_sns_topic_policy" "alerts" {
  arn    = aws_sns_topic.alerts.arn
  policy = data.aws_iam_policy_document.alerts.json
}

# A plan is posted on pull requests: it shows the keys of these, which are places in the lists. (A hash of a number would tell the number:
# there are few enough to try them all.) A place that is "" has nobody, so that who leaves does not make those behind move up: AWS answers
# a second subscription of the same number with the first, which then goes when Terraform empties the old place.
locals {
  phones = toset([for at in range(nonsensitive(length(var.alert_phone_numbers))) : tostring(at) if nonsensitive(var.alert_phone_numbers[at] != "")])
  emails = toset([for at in range(nonsensitive(length(var.alert_emails))) : tostring(at) if nonsensitive(var.alert_emails[at] != "")])
}

resource "aws_sns_topic_subscription" "sms" {
  for_each = local.phones

  topic_arn = aws_sns_topic.alerts.arn
  protocol  = "sms"
  endpoint  = var.alert_phone_numbers[tonumber(each.key)]
}

resource "aws_sns_topic_subscription" "email" {
  for_each = local.emails

  topic_arn = aws_sns_topic.alerts.arn
  protocol  = "email"
  endpoint  = var.alert_emails[tonumber(each.key)]
}

# Wake-ups that a stage could not be brought to take. They carry nothing, so a day is long enough to read what went wrong; then the
# queue is empty by itself, and its alarm can ring again.
resource "aws_sqs_queue" "undelivered" {
  name                      = "${var.name_prefix}-undelivered"
  message_retention_seconds = 86400
  sqs_managed_sse_enabled   = true
}

resource "aws_cloudwatch_metric_alarm" "undelivered" {
  alarm_name = "${var.name_prefix}-undelivered"
  alarm_description = join(" ", [
    "Wake-ups of ${var.name_prefix} came to nothing, three tries each: the queue ${aws_sqs_queue.undelivered.name} or ${aws_sqs_queue.schedule_dead_letters.name} is not empty.",
    "The data is safe, and the sweep goes on trying. Read a message to see which stage failed and why, mend that, and purge the queue: until then, or for a day, this alarm cannot ring again.",
    "${var.runbook_url}#undelivered",
  ])

  comparison_operator = "GreaterThanThreshold"
  threshold           = 0
  evaluation_periods  = 1
  treat_missing_data  = "notBreaching"
  alarm_actions       = [aws_sns_topic.alerts.arn]

  metric_query {
    id          = "waiting"
    expression  = "MAX([wakeups, schedules])" # not a sum: a queue that was never used has no metric, and x + nothing is nothing
    label       = "Undelivered wake-ups"
    return_data = true
  }

  dynamic "metric_query" {
    for_each = { wakeups = aws_sqs_queue.undelivered.name, schedules = aws_sqs_queue.schedule_dead_letters.name }

    content {
      id = metric_query.key

      metric {
        namespace   = "AWS/SQS"
        metric_name = "ApproximateNumberOfMessagesVisible"
        dimensions  = { QueueName = metric_query.value }
        stat        = "Maximum"
        period      = 300
      }
    }
  }
}

# The dead man's switch. Load reports every 5 minutes; when it is silent, that is bad news too.
resource "aws_cloudwatch_metric_alarm" "freshness" {
  alarm_name = "${var.name_prefix}-freshness"
  alarm_description = join(" ", [
    "The warehouse of ${var.name_prefix} is more than ${var.freshness_alarm_seconds} s behind the source, or load reports nothing any more.",
    "Some stage stands still: look at the dashboard ${local.dashboard_name} for which one (no rows, or batches pending), then at that stage's errors alarm and log. Are the schedules enabled?",
    "${var.runbook_url}#freshness",
  ])

  namespace           = "Starling"
  metric_name         = "Freshness"
  dimensions          = { Pipeline = var.name_prefix }
  statistic           = "Maximum"
  period              = 300
  evaluation_periods  = 1 # the sweep's jitter is no matter: CloudWatch looks back further than one period before data counts as missing
  comparison_operator = "GreaterThanThreshold"
  threshold           = var.freshness_alarm_seconds
  treat_missing_data  = var.paused ? "ignore" : "breaching" # or it would be in ALARM at a resume, and actions come with a change only
  actions_enabled     = !var.paused
  alarm_actions       = [aws_sns_topic.alerts.arn]
}

resource "aws_cloudwatch_metric_alarm" "quarantine" {
  alarm_name = "${var.name_prefix}-quarantine"
  alarm_description = join(" ", [
    "Rows wait in quarantine in the warehouse of ${var.name_prefix}: a type could not hold them, or they refer to a row that is not there. All others are loaded.",
    "See select table_name, record_key, column_name, reason from pipeline.quarantine where released_at is null and dropped_at is null; a mended model, or the row that was missing, releases them by itself; a mended source row is loaded as a new version, and the old one stays here as part of what happened.",
    "${var.runbook_url}#quarantine",
  ])

  namespace           = "Starling"
  metric_name         = "QuarantinedRows"
  dimensions          = { Pipeline = var.name_prefix }
  statistic           = "Maximum"
  period              = 300
  evaluation_periods  = 1
  comparison_operator = "GreaterThanThreshold"
  threshold           = 0
  treat_missing_data  = "ignore" # rows do not leave because load is silent
  alarm_actions       = [aws_sns_topic.alerts.arn]
}

resource "aws_cloudwatch_metric_alarm" "cursor_age" {
  alarm_name = "${var.name_prefix}-cursor-age"
  alarm_description = join(" ", [
    "A transaction has been open in the source of ${var.name_prefix} for more than an hour. What was committed since is read again with every batch, which costs time but loses nothing; what it wrote is not visible yet.",
    "Find it in the source: select pid, usename, xact_start, query from pg_stat_activity where backend_xid is not null order by xact_start; end it, or ask whose it is. Look at pg_prepared_xacts too.",
    "${var.runbook_url}#cursor-age",
  ])

  namespace           = "Starling"
  metric_name         = "CursorAge"
  dimensions          = { Pipeline = var.name_prefix }
  statistic           = "Maximum"
  period              = 900
  evaluation_periods  = 1
  comparison_operator = "GreaterThanThreshold"
  threshold           = 3600
  treat_missing_data  = "notBreaching" # ingest is silent: the freshness alarm tells that
  alarm_actions       = [aws_sns_topic.alerts.arn]
}
