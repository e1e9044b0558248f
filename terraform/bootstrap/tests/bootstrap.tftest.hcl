# Who may become which role, and what that can do.

provider "aws" {
  region                      = "eu-west-2"
  access_key                  = "none"
  secret_key                  = "none"
  skip_credentials_validation = true
  skip_metadata_api_check     = true
  skip_requesting_account_id  = true
}

override_data {
  target = data.aws_caller_identity.current
  values = { account_id = "123456789012" }
}

override_resource {
  target          = aws_s3_bucket.state
  override_during = plan
  values          = { arn = "arn:aws:s3:::state", id = "state" }
}

override_resource {
  target          = aws_iam_openid_connect_provider.github
  override_during = plan
  values          = { arn = "arn:aws:iam::123456789012:oidc-provider/token.actions.githubusercontent.com" }
}

override_resource {
  target          = aws_iam_policy.boundary
  override_during = plan
  values          = { arn = "arn:aws:iam::123456789012:policy/starling-boundary" }
}

variables {
  repository  = "bags/starling"
  secret_arns = ["arn:aws:secretsmanager:eu-west-2:123456789012:secret:shop/source-AbCdEf"]
}

run "trust" {
  command = plan

  assert {
    condition     = local.subjects.deploy == ["repo:bags/starling:environment:dev", "repo:bags/starling:environment:prod"]
    error_message = "Only the environments of the repository deploy."
  }

  assert {
    condition = alltrue(flatten([
      for trust in data.aws_iam_policy_document.trust : [for condition in trust.statement[0].condition : condition.test == "StringEquals" && !anytrue([for value in condition.values : strcontains(value, "*")])]
    ]))
    error_message = "Subjects are exact."
  }
}

run "state" {
  command = plan

  assert {
    condition = alltrue([
      aws_s3_bucket_public_access_block.state.block_public_acls, aws_s3_bucket_public_access_block.state.block_public_policy,
      aws_s3_bucket_public_access_block.state.ignore_public_acls, aws_s3_bucket_public_access_block.state.restrict_public_buckets,
      aws_s3_bucket_versioning.state.versioning_configuration[0].status == "Enabled",
    ])
    error_message = "The state is versioned and closed to the public."
  }
}

run "rights" {
  command = plan

  assert {
    condition = alltrue(flatten([
      for document in [
        data.aws_iam_policy_document.read, data.aws_iam_policy_document.plan_state, data.aws_iam_policy_document.deploy_state, data.aws_iam_policy_document.deploy_resources,
        data.aws_iam_policy_document.deploy_roles, data.aws_iam_policy_document.deploy_network, data.aws_iam_policy_document.boundary,
      ] : [for statement in document.statement : [for action in statement.actions : !strcontains(action, "*")]]
    ]))
    error_message = "Actions are exact."
  }

  assert {
    condition = !anytrue(flatten([
      for document in [data.aws_iam_policy_document.read, data.aws_iam_policy_document.plan_state, data.aws_iam_policy_document.deploy_state, data.aws_iam_policy_document.deploy_resources, data.aws_iam_policy_document.deploy_roles] :
      [for statement in document.statement : [for action in statement.actions : contains(["secretsmanager:GetSecretValue", "kms:Decrypt", "logs:GetLogEvents", "sqs:ReceiveMessage"], action)]]
    ]))
    error_message = "Workflows read no secret and no data."
  }

  # Its tag bounds what is done to a key, and the role can give that tag.
  assert {
    condition = toset(flatten([
      for statement in data.aws_iam_policy_document.deploy_resources.statement : [for action in statement.actions : action if startswith(action, "kms:")]
      ])) == toset([
      "kms:CreateAlias", "kms:DeleteAlias", "kms:EnableKeyRotation", "kms:TagResource", "kms:UntagResource", "kms:UpdateAlias",
      "kms:UpdateKeyDescription",
    ])
    error_message = "Deploying changes no key's policy, and deletes or disables none."
  }

  assert {
    condition = alltrue(flatten([
      for document in [data.aws_iam_policy_document.plan_state, data.aws_iam_policy_document.deploy_state, data.aws_iam_policy_document.read, data.aws_iam_policy_document.deploy_resources] : [
        for statement in document.statement : [for resource in statement.resources : startswith(resource, "arn:aws:s3:::state/")] if contains(statement.actions, "s3:GetObject")
      ]
    ]))
    error_message = "Of all objects, workflows read states only."
  }

  assert {
    condition = alltrue([
      for statement in data.aws_iam_policy_document.deploy_roles.statement :
      anytrue([for condition in statement.condition : condition.variable == "iam:PermissionsBoundary"]) if contains(statement.actions, "iam:PutRolePolicy") || contains(statement.actions, "iam:CreateRole")
    ])
    error_message = "Rights are given within the boundary only."
  }

  assert {
    condition = alltrue([
      for statement in data.aws_iam_policy_document.deploy_roles.statement : toset(statement.resources) == toset([
        "arn:aws:iam::123456789012:role/starling*-ingest", "arn:aws:iam::123456789012:role/starling*-load",
        "arn:aws:iam::123456789012:role/starling*-scheduler", "arn:aws:iam::123456789012:role/starling*-transform",
      ])
    ])
    error_message = "Roles of stages and schedules only; not the workflows' own."
  }
}

run "one_repository" {
  command         = plan
  expect_failures = [var.repository]

  variables {
    repository = "bags/*"
  }
}

run "whole_arns" {
  command         = plan
  expect_failures = [var.secret_arns, var.environments]

  variables {
    secret_arns  = ["*"]
    environments = ["*"]
  }
}
