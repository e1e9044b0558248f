# A stage by itself.

mock_provider "aws" {
  override_during = plan
  source          = "./tests/mocks"
}

variables {
  stage           = "load"
  bundle          = "tests/bundles/load.zip"
  timeout_seconds = 600
  memory_mb       = 1024
  range_mb        = 1024
  environment     = { WAREHOUSE_SCHEMA = "public", WAREHOUSE_URL = null }
  policy          = "{\"Version\":\"2012-10-17\",\"Statement\":[]}"

  pipeline = {
    name_prefix           = "starling"
    region                = "eu-west-2"
    account               = "123456789012"
    partition             = "aws"
    key_arn               = "arn:aws:kms:eu-west-2:123456789012:key/1234abcd-12ab-34cd-56ef-1234567890ab"
    topic_arn             = "arn:aws:sns:eu-west-2:123456789012:starling-alerts"
    undelivered_queue_arn = "arn:aws:sqs:eu-west-2:123456789012:starling-undelivered"
    log_retention_days    = 30
    maximum_event_age     = 21600
    reserved_concurrency  = null
    backfill_workers      = 8
    paused                = false
    emulated              = false
    runbook_url           = "https://example.com/RUNBOOK.md"
    permissions_boundary  = null
    subnets               = []
    security_groups       = []
  }
}

run "outside_a_vpc" {
  command = plan

  module {
    source = "./modules/stage"
  }

  assert {
    condition     = aws_lambda_function.this.runtime == "nodejs22.x" && tolist(aws_lambda_function.this.architectures) == tolist(["arm64"])
    error_message = "Functions are arm64 on Node 22."
  }

  assert {
    condition     = aws_lambda_function.this.reserved_concurrent_executions == null || aws_lambda_function.this.reserved_concurrent_executions == -1
    error_message = "No concurrency is reserved by default."
  }

  assert {
    condition     = length(aws_lambda_function.this.vpc_config) == 0
    error_message = "No subnets, no VPC."
  }

  assert {
    condition = aws_lambda_function.this.environment[0].variables == tomap({
      WAREHOUSE_SCHEMA = "public"
      ALERT_TOPIC_ARN  = "arn:aws:sns:eu-west-2:123456789012:starling-alerts"
      PIPELINE_NAME    = "starling"
      NODE_OPTIONS     = "--enable-source-maps"

      NODE_EXTRA_CA_CERTS = "/var/runtime/ca-cert.pem"

      RANGE_QUEUE_URL = "https://sqs.eu-west-2.amazonaws.com/123456789012/queue"
      RANGE_MB        = "1024"
    })
    error_message = "Variables that are null are left out."
  }

  assert {
    condition     = aws_cloudwatch_log_group.this.name == "/aws/lambda/starling-load" && aws_cloudwatch_log_group.this.retention_in_days == 30
    error_message = "The log group is the function's, and does not keep logs for ever."
  }

  assert {
    condition     = aws_lambda_function_event_invoke_config.this.maximum_retry_attempts == 2 && length(aws_lambda_function_event_invoke_config.this.destination_config[0].on_failure) == 1
    error_message = "Events are tried three times, and then put aside."
  }

  assert {
    condition = (
      aws_sqs_queue.ranges.visibility_timeout_seconds == 3600 && aws_sqs_queue.range_dead_letters.message_retention_seconds > aws_sqs_queue.ranges.message_retention_seconds &&
      aws_sqs_queue.ranges.sqs_managed_sse_enabled && aws_sqs_queue.range_dead_letters.sqs_managed_sse_enabled
    )
    error_message = "A range is hidden for as long as Lambda may go on trying, queues are encrypted, and dead letters last longer than ranges."
  }

  assert {
    condition     = jsondecode(aws_sqs_queue_redrive_policy.ranges.redrive_policy).maxReceiveCount == 5
    error_message = "A range is put aside after five deliveries."
  }

  assert {
    condition = (
      aws_lambda_event_source_mapping.ranges.batch_size == 1 && aws_lambda_event_source_mapping.ranges.enabled &&
      toset(aws_lambda_event_source_mapping.ranges.function_response_types) == toset(["ReportBatchItemFailures"]) &&
      aws_lambda_event_source_mapping.ranges.scaling_config[0].maximum_concurrency == 8
    )
    error_message = "A worker gets a range at a time, says which failed, and there are no more of them than was asked for."
  }

  assert {
    condition     = aws_cloudwatch_metric_alarm.range_dead_letters.threshold == 0 && aws_cloudwatch_metric_alarm.range_age.threshold == 21600 && aws_cloudwatch_metric_alarm.range_age.actions_enabled
    error_message = "A range that nobody can do rings, and so does one that nobody takes."
  }

  assert {
    condition     = aws_cloudwatch_metric_alarm.duration.threshold == 480000 && aws_cloudwatch_metric_alarm.errors.threshold == 0
    error_message = "80 % of the time limit ring, and any error."
  }

  assert {
    condition = (
      aws_cloudwatch_metric_alarm.errors.period * aws_cloudwatch_metric_alarm.errors.evaluation_periods > 15 * 60 &&
      aws_cloudwatch_metric_alarm.errors.datapoints_to_alarm == 1
    )
    error_message = "A stage that fails at every look of 15 minutes rings at the first one, and once."
  }

  assert {
    condition = alltrue([
      for alarm in [aws_cloudwatch_metric_alarm.errors, aws_cloudwatch_metric_alarm.duration, aws_cloudwatch_metric_alarm.range_dead_letters, aws_cloudwatch_metric_alarm.range_age] :
      tolist(alarm.alarm_actions) == tolist(["arn:aws:sns:eu-west-2:123456789012:starling-alerts"]) && alarm.ok_actions == null && alarm.insufficient_data_actions == null
    ])
    error_message = "Alarms tell the topic when they ring, and nothing else."
  }

  assert {
    condition     = strcontains(aws_cloudwatch_metric_alarm.errors.alarm_description, "time-outs") && endswith(aws_cloudwatch_metric_alarm.errors.alarm_description, "https://example.com/RUNBOOK.md#errors")
    error_message = "An alarm's description ends with its link into the runbook."
  }
}

run "in_a_vpc_with_a_worker_reserved" {
  command = plan

  module {
    source = "./modules/stage"
  }

  variables {
    range_mb = 0.5

    pipeline = {
      name_prefix           = "starling"
      region                = "eu-west-2"
      account               = "123456789012"
      partition             = "aws"
      key_arn               = "arn:aws:kms:eu-west-2:123456789012:key/1234abcd-12ab-34cd-56ef-1234567890ab"
      topic_arn             = "arn:aws:sns:eu-west-2:123456789012:starling-alerts"
      undelivered_queue_arn = "arn:aws:sqs:eu-west-2:123456789012:starling-undelivered"
      log_retention_days    = 30
      maximum_event_age     = 21600
      reserved_concurrency  = 1
      backfill_workers      = 40
      paused                = true
      emulated              = false
      runbook_url           = "https://example.com/RUNBOOK.md"
      permissions_boundary  = "arn:aws:iam::123456789012:policy/starling-boundary"
      subnets               = ["subnet-1"]
      security_groups       = ["sg-1"]
    }
  }

  assert {
    condition     = aws_lambda_function.this.reserved_concurrent_executions == 1 && aws_iam_role.this.permissions_boundary == "arn:aws:iam::123456789012:policy/starling-boundary"
    error_message = "What is asked for is reserved, and the role has its boundary."
  }

  assert {
    condition = (
      aws_lambda_event_source_mapping.ranges.scaling_config[0].maximum_concurrency == 40 && aws_lambda_function.this.environment[0].variables["RANGE_MB"] == "0.5" &&
      !aws_lambda_event_source_mapping.ranges.enabled && !aws_cloudwatch_metric_alarm.range_age.actions_enabled
    )
    error_message = "Workers and ranges are as many and as large as was asked for, and a pause stops the workers."
  }

  assert {
    condition     = tolist(aws_lambda_function.this.vpc_config[0].subnet_ids) == tolist(["subnet-1"])
    error_message = "The function runs in the subnets."
  }
}
