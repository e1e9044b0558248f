output "function_names" {
  description = "The stages' functions."
  value       = { for stage, module in local.functions : stage => module.function_name }
}

output "role_arns" {
  description = "The stages' roles, and that of the schedules."
  value       = merge({ for stage, module in local.functions : stage => module.role_arn }, { scheduler = aws_iam_role.scheduler.arn })
}

output "ingestion_bucket" {
  description = "Bucket of what was read from the source."
  value       = module.ingestion.name
}

output "processed_bucket" {
  description = "Bucket of what is to be loaded."
  value       = module.processed.name
}

output "topic_arn" {
  description = "Topic of alerts and alarms."
  value       = aws_sns_topic.alerts.arn
}

output "dashboard_name" {
  description = "The CloudWatch dashboard."
  value       = aws_cloudwatch_dashboard.starling.dashboard_name
}

output "dashboard_url" {
  description = "Where to look at it."
  value       = "https://${local.region}.console.aws.amazon.com/cloudwatch/home?region=${local.region}#dashboards/dashboard/${aws_cloudwatch_dashboard.starling.dashboard_name}"
}

output "log_group_names" {
  description = "The stages' logs."
  value       = { for stage, module in local.functions : stage => module.log_group_name }
}

output "schedule_names" {
  description = "The schedules, in the group of the pipeline's name."
  value = {
    ingest    = aws_scheduler_schedule.ingest.name
    transform = aws_scheduler_schedule.transform.name
    load      = aws_scheduler_schedule.load.name
  }
}

output "undelivered_queue_urls" {
  description = "Wake-ups that came to nothing: of the functions, and of the schedules."
  value = {
    functions = aws_sqs_queue.undelivered.url
    schedules = aws_sqs_queue.schedule_dead_letters.url
  }
}

output "range_queue_urls" {
  description = "Where ranges of large batches wait for a worker of the stage."
  value       = { for stage, module in local.functions : stage => module.range_queue_url }
}

output "alarm_names" {
  description = "All alarms."
  value       = sort([for arn in local.alarms : element(split(":", arn), 6)])
}

output "key_arn" {
  description = "KMS key of buckets and topic."
  value       = aws_kms_key.starling.arn
}

output "function_security_group_ids" {
  description = "Security groups of the functions; empty outside a VPC."
  value       = local.function_security_groups
}
