output "function_name" {
  description = "The function's name."
  value       = aws_lambda_function.this.function_name
}

output "function_arn" {
  description = "The function's ARN."
  value       = aws_lambda_function.this.arn
}

output "role_arn" {
  description = "The ARN of the function's role."
  value       = aws_iam_role.this.arn
}

output "log_group_name" {
  description = "Where its logs are."
  value       = aws_cloudwatch_log_group.this.name
}

output "range_queue_names" {
  description = "Where ranges of large batches wait for a worker, and where those go that none could do."
  value       = { ranges = aws_sqs_queue.ranges.name, dead_letters = aws_sqs_queue.range_dead_letters.name }
}

output "range_queue_url" {
  description = "Where ranges of large batches wait for a worker."
  value       = aws_sqs_queue.ranges.url
}

output "alarm_arns" {
  description = "Its alarms."
  value = [
    aws_cloudwatch_metric_alarm.errors.arn,
    aws_cloudwatch_metric_alarm.duration.arn,
    aws_cloudwatch_metric_alarm.range_dead_letters.arn,
    aws_cloudwatch_metric_alarm.range_age.arn,
  ]
}
