# What the defaults make, and what the switches change.

mock_provider "aws" {
  override_during = plan
  source          = "./tests/mocks"
}

variables {
  source_secret_arn    = "arn:aws:secretsmanager:eu-west-2:123456789012:secret:shop/source-AbCdEf"
  warehouse_secret_arn = "arn:aws:secretsmanager:eu-west-2:123456789012:secret:shop/warehouse-GhIjKl"
  bundles              = "tests/bundles"
}

run "defaults" {
  command = plan

  assert {
    condition     = aws_scheduler_schedule.ingest.schedule_expression == "rate(15 minutes)" && aws_scheduler_schedule.ingest.state == "ENABLED"
    error_message = "The source is looked at every 15 minutes."
  }

  assert {
    condition     = alltrue([for sweep in [aws_scheduler_schedule.transform, aws_scheduler_schedule.load] : sweep.schedule_expression == "rate(5 minutes)" && sweep.state == "ENABLED"])
    error_message = "Transform and load are swept every 5 minutes."
  }

  assert {
    condition = alltrue([
      for schedule in [aws_scheduler_schedule.ingest, aws_scheduler_schedule.transform, aws_scheduler_schedule.load] :
      schedule.target[0].retry_policy[0].maximum_retry_attempts == 3 && length(schedule.target[0].dead_letter_config) == 1
    ])
    error_message = "Schedules try again, and say so when that fails."
  }

  assert {
    condition     = !var.emulated && !var.force_destroy && var.reserved_concurrency == null && var.vpc == null
    error_message = "By default nothing is emulated, destroyed by force, reserved or in a VPC."
  }

  assert {
    condition     = var.backfill_workers == 8 && var.range_mb == 1024
    error_message = "A large batch is done in ranges of a gigabyte, by eight workers at most."
  }

  assert {
    condition     = length(aws_vpc_endpoint.s3) + length(aws_vpc_endpoint.interface) + length(aws_security_group.functions) == 0
    error_message = "Without a VPC nothing is made in one."
  }

  assert {
    condition     = length(aws_sns_topic_subscription.sms) + length(aws_sns_topic_subscription.email) == 0
    error_message = "Nobody is told by default."
  }

  assert {
    condition = alltrue([
      for notification in [aws_s3_bucket_notification.ingestion, aws_s3_bucket_notification.processed] :
      notification.lambda_function[0].filter_prefix == "log/" && notification.lambda_function[0].filter_suffix == ".json"
    ])
    error_message = "Only entries of the log wake a stage."
  }

  assert {
    condition     = alltrue([for permission in [aws_lambda_permission.transform, aws_lambda_permission.load] : permission.source_account == "123456789012" && permission.source_arn == "arn:aws:s3:::bucket"])
    error_message = "Only the bucket of this account may invoke."
  }

  assert {
    condition = alltrue([
      for alarm in [aws_cloudwatch_metric_alarm.undelivered, aws_cloudwatch_metric_alarm.freshness, aws_cloudwatch_metric_alarm.quarantine, aws_cloudwatch_metric_alarm.cursor_age] :
      tolist(alarm.alarm_actions) == tolist([aws_sns_topic.alerts.arn]) && alarm.ok_actions == null && alarm.insufficient_data_actions == null
    ])
    error_message = "Alarms tell the topic when they ring, and nothing else."
  }

  assert {
    condition     = aws_cloudwatch_metric_alarm.freshness.threshold == 1500 && aws_cloudwatch_metric_alarm.freshness.treat_missing_data == "breaching"
    error_message = "25 minutes without news ring, and so does silence."
  }

  assert {
    condition     = aws_kms_key.starling.enable_key_rotation && aws_sns_topic.alerts.kms_master_key_id == aws_kms_key.starling.arn
    error_message = "The topic is encrypted with the key, which rotates."
  }

  assert {
    condition     = aws_sqs_queue.undelivered.sqs_managed_sse_enabled && aws_sqs_queue.schedule_dead_letters.sqs_managed_sse_enabled
    error_message = "Queues are encrypted."
  }

  assert {
    condition     = can(jsondecode(aws_cloudwatch_dashboard.starling.dashboard_body)) && strcontains(aws_cloudwatch_dashboard.starling.dashboard_body, "SEARCH(")
    error_message = "The dashboard is JSON and finds the tables by itself."
  }

  assert {
    condition     = alltrue([for widget in jsondecode(aws_cloudwatch_dashboard.starling.dashboard_body).widgets : widget.x + widget.width <= 24])
    error_message = "The dashboard's widgets fit its 24 columns."
  }
}

run "a_pause_stops_the_schedules_and_silences_freshness_only" {
  command = plan

  variables {
    paused = true
  }

  assert {
    condition     = alltrue([for schedule in [aws_scheduler_schedule.ingest, aws_scheduler_schedule.transform, aws_scheduler_schedule.load] : schedule.state == "DISABLED"])
    error_message = "A pause disables the schedules."
  }

  assert {
    condition     = !aws_cloudwatch_metric_alarm.freshness.actions_enabled && aws_cloudwatch_metric_alarm.undelivered.actions_enabled != false
    error_message = "A pause silences the freshness alarm, and no other."
  }

  assert {
    condition     = aws_cloudwatch_metric_alarm.freshness.treat_missing_data == "ignore"
    error_message = "The silence of a pause leaves the alarm as it was, so that it can ring after a resume."
  }
}

run "a_vpc_gets_endpoints_and_two_groups" {
  command = plan

  variables {
    vpc = {
      id                 = "vpc-1"
      subnet_ids         = ["subnet-1", "subnet-2"]
      security_group_ids = ["sg-databases"]
      route_table_ids    = ["rtb-1"]
    }
  }

  assert {
    condition     = keys(aws_vpc_endpoint.interface) == ["monitoring", "secretsmanager", "sns", "sqs"] && aws_vpc_endpoint.s3[0].vpc_endpoint_type == "Gateway"
    error_message = "Private subnets reach S3, Secrets Manager, SNS, SQS and CloudWatch."
  }

  assert {
    condition     = alltrue([for endpoint in aws_vpc_endpoint.interface : endpoint.private_dns_enabled && endpoint.vpc_endpoint_type == "Interface"])
    error_message = "The services keep their names."
  }

  assert {
    condition = alltrue([
      for rule in [aws_vpc_security_group_egress_rule.functions_to_endpoints[0], aws_vpc_security_group_egress_rule.functions_to_s3[0], aws_vpc_security_group_ingress_rule.endpoints_from_functions[0]] :
      rule.from_port == 443 && rule.to_port == 443 && rule.ip_protocol == "tcp" && rule.cidr_ipv4 == null && rule.cidr_ipv6 == null
    ])
    error_message = "Rules are for one port, and to groups or a prefix list."
  }

  assert {
    condition     = contains(output.function_security_group_ids, "sg-databases") && length(output.function_security_group_ids) == 2
    error_message = "Functions have the given groups and their own."
  }
}

run "a_vpc_with_endpoints_is_left_alone" {
  command = plan

  variables {
    vpc = {
      id                 = "vpc-1"
      subnet_ids         = ["subnet-1"]
      security_group_ids = ["sg-databases"]
      has_endpoints      = true
    }
  }

  assert {
    condition     = length(aws_vpc_endpoint.s3) + length(aws_vpc_endpoint.interface) + length(aws_security_group.functions) + length(aws_security_group.endpoints) == 0
    error_message = "Nothing is made in a VPC that has its endpoints."
  }

  assert {
    condition     = tolist(output.function_security_group_ids) == tolist(["sg-databases"])
    error_message = "Functions have the given groups."
  }
}

run "everybody_is_told" {
  command = plan

  variables {
    alert_phone_numbers = ["+447700900123", "+447700900124"]
    alert_emails        = ["oncall@example.com"]
  }

  assert {
    condition = nonsensitive({ for at, subscription in aws_sns_topic_subscription.sms : at => subscription.endpoint }) == {
      "0" = "+447700900123", "1" = "+447700900124"
    }
    error_message = "Each number has its subscription, whose key says nothing of it."
  }

  assert {
    condition     = nonsensitive({ for at, subscription in aws_sns_topic_subscription.email : at => subscription.endpoint }) == { "0" = "oncall@example.com" }
    error_message = "Each address has its subscription, whose key says nothing of it."
  }
}

run "who_leaves_moves_nobody" {
  command = plan

  variables {
    alert_phone_numbers = ["", "+447700900124", "", "+447700900125"]
    alert_emails        = ["", "second@example.com"]
  }

  assert {
    condition     = keys(aws_sns_topic_subscription.sms) == ["1", "3"] && keys(aws_sns_topic_subscription.email) == ["1"]
    error_message = "Places that are empty have no subscription, and the others keep theirs."
  }
}
