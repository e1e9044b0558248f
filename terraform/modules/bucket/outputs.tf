output "name" {
  description = "The bucket's name."
  value       = aws_s3_bucket.this.id
}

output "arn" {
  description = "The bucket's ARN."
  value       = aws_s3_bucket.this.arn
}

output "policy" {
  description = "The bucket's policy; the emulator does without it."
  value       = data.aws_iam_policy_document.this.json
}
