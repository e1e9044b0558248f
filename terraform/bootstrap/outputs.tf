output "state_bucket" {
  description = "Bucket of the states: `bucket` in terraform/env/<environment>.s3.tfbackend."
  value       = aws_s3_bucket.state.id
}

output "plan_role_arn" {
  description = "Role of workflows for pull requests."
  value       = aws_iam_role.plan.arn
}

output "deploy_role_arn" {
  description = "Role of workflows for the environments."
  value       = aws_iam_role.deploy.arn
}

output "permissions_boundary_arn" {
  description = "permissions_boundary_arn of terraform/, without which the deploy role can create no role."
  value       = aws_iam_policy.boundary.arn
}
