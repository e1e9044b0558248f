# deploy: creates, changes and removes what terraform/ manages, by the names of terraform/, after an environment's approval.
# It can read no secret's value and no object of the lake. Left to an administrator: deleting buckets that are not empty, and the key, and
# changing the key's policy.
# "*" inside an ARN stands for the environment's part of a name.

resource "aws_iam_role" "deploy" {
  name                 = "${var.name_prefix}-github-deploy"
  description          = "Environments of ${var.repository}: terraform apply"
  assume_role_policy   = data.aws_iam_policy_document.trust["deploy"].json
  max_session_duration = 3600
}

# Managed policies: together they are more than the 10,240 characters that inline ones may have.
resource "aws_iam_policy" "deploy" {
  for_each = {
    read      = data.aws_iam_policy_document.read.json
    state     = data.aws_iam_policy_document.deploy_state.json
    resources = data.aws_iam_policy_document.deploy_resources.json
    roles     = data.aws_iam_policy_document.deploy_roles.json
    network   = data.aws_iam_policy_document.deploy_network.json
  }

  name        = "${var.name_prefix}-github-deploy-${each.key}"
  description = "Deploying Starling: ${each.key}"
  policy      = each.value
}

resource "aws_iam_role_policy_attachment" "deploy" {
  for_each = aws_iam_policy.deploy

  role       = aws_iam_role.deploy.name
  policy_arn = each.value.arn
}

data "aws_iam_policy_document" "deploy_state" {
  statement {
    sid       = "States"
    actions   = ["s3:GetObject", "s3:PutObject"]
    resources = concat(local.states, local.locks)
  }

  statement {
    sid       = "Unlock"
    actions   = ["s3:DeleteObject"]
    resources = local.locks
  }

  statement {
    sid       = "FindStates"
    actions   = ["s3:ListBucket"]
    resources = [aws_s3_bucket.state.arn]
  }
}

data "aws_iam_policy_document" "deploy_resources" {
  statement {
    sid = "Buckets"
    actions = [
      "s3:CreateBucket",
      "s3:DeleteBucket",
      "s3:DeleteBucketPolicy",
      "s3:PutBucketNotification",
      "s3:PutBucketOwnershipControls",
      "s3:PutBucketPolicy",
      "s3:PutBucketPublicAccessBlock",
      "s3:PutBucketTagging",
      "s3:PutBucketVersioning",
      "s3:PutEncryptionConfiguration",
      "s3:PutLifecycleConfiguration",
    ]
    resources = local.lake_buckets
  }

  # Invoking is for the smoke test.
  statement {
    sid = "Functions"
    actions = [
      "lambda:AddPermission",
      "lambda:CreateFunction",
      "lambda:DeleteFunction",
      "lambda:DeleteFunctionConcurrency",
      "lambda:DeleteFunctionEventInvokeConfig",
      "lambda:InvokeFunction",
      "lambda:PutFunctionConcurrency",
      "lambda:PutFunctionEventInvokeConfig",
      "lambda:RemovePermission",
      "lambda:TagResource",
      "lambda:UntagResource",
      "lambda:UpdateFunctionCode",
      "lambda:UpdateFunctionConfiguration",
      "lambda:UpdateFunctionEventInvokeConfig",
    ]
    resources = local.stage_functions
  }

  # Knows no resource: a mapping has its id when it is made.
  statement {
    sid       = "MakeMappings"
    actions   = ["lambda:CreateEventSourceMapping"]
    resources = ["*"]

    condition {
      test     = "ArnLike"
      variable = "lambda:FunctionArn"
      values   = local.stage_functions
    }
  }

  statement {
    sid       = "Mappings"
    actions   = ["lambda:DeleteEventSourceMapping", "lambda:UpdateEventSourceMapping"]
    resources = [local.mappings]

    condition {
      test     = "ArnLike"
      variable = "lambda:FunctionArn"
      values   = local.stage_functions
    }
  }

  # Knows no such condition.
  statement {
    sid       = "TagMappings"
    actions   = ["lambda:TagResource", "lambda:UntagResource"]
    resources = [local.mappings]
  }

  statement {
    sid       = "Queues"
    actions   = ["sqs:CreateQueue", "sqs:DeleteQueue", "sqs:SetQueueAttributes", "sqs:TagQueue", "sqs:UntagQueue"]
    resources = local.queues
  }

  statement {
    sid       = "Topic"
    actions   = ["sns:CreateTopic", "sns:DeleteTopic", "sns:SetTopicAttributes", "sns:Subscribe", "sns:TagResource", "sns:UntagResource"]
    resources = local.topics
  }

  # Knows no resource: a subscription is not one of IAM's.
  statement {
    sid       = "Subscriptions"
    actions   = ["sns:SetSubscriptionAttributes", "sns:Unsubscribe"]
    resources = ["*"]
  }

  statement {
    sid = "Schedules"
    actions = [
      "scheduler:CreateSchedule",
      "scheduler:CreateScheduleGroup",
      "scheduler:DeleteSchedule",
      "scheduler:DeleteScheduleGroup",
      "scheduler:TagResource",
      "scheduler:UntagResource",
      "scheduler:UpdateSchedule",
    ]
    resources = local.schedules
  }

  statement {
    sid = "LogGroups"
    actions = [
      "logs:CreateLogGroup",
      "logs:DeleteLogGroup",
      "logs:DeleteRetentionPolicy",
      "logs:PutRetentionPolicy",
      "logs:TagResource",
      "logs:UntagResource",
    ]
    resources = concat(local.log_groups, [for group in local.log_groups : "${group}:*"])
  }

  statement {
    sid = "Alarms"
    actions = [
      "cloudwatch:DeleteAlarms",
      "cloudwatch:DeleteDashboards",
      "cloudwatch:PutDashboard",
      "cloudwatch:PutMetricAlarm",
      "cloudwatch:TagResource",
      "cloudwatch:UntagResource",
    ]
    resources = concat(local.alarms, local.dashboards)
  }

  # The key itself is made by the first apply, an administrator's: what could make a key could tag any other as its own. Nor can this
  # role change a key's policy, or delete it; and not kms:Decrypt: deploying reads no data.
  statement {
    sid = "Key"
    actions = [
      "kms:CreateAlias",
      "kms:DeleteAlias",
      "kms:EnableKeyRotation",
      "kms:TagResource",
      "kms:UntagResource",
      "kms:UpdateAlias",
      "kms:UpdateKeyDescription",
    ]
    resources = ["${local.here.kms}:key/*"]

    condition {
      test     = "StringLike"
      variable = "aws:ResourceTag/Pipeline"
      values   = ["${var.name_prefix}*"]
    }
  }

  statement {
    sid       = "Alias"
    actions   = ["kms:CreateAlias", "kms:DeleteAlias", "kms:UpdateAlias"]
    resources = ["${local.here.kms}:alias/${var.name_prefix}*"]
  }
}

data "aws_iam_policy_document" "deploy_roles" {
  # Only roles within the boundary get rights.
  statement {
    sid = "RolesWithinTheBoundary"
    actions = [
      "iam:CreateRole",
      "iam:DeleteRolePolicy",
      "iam:PutRolePermissionsBoundary",
      "iam:PutRolePolicy",
    ]
    resources = local.stage_roles

    condition {
      test     = "StringEquals"
      variable = "iam:PermissionsBoundary"
      values   = [aws_iam_policy.boundary.arn]
    }
  }

  statement {
    sid = "Roles"
    actions = [
      "iam:DeleteRole",
      "iam:ListInstanceProfilesForRole",
      "iam:TagRole",
      "iam:UntagRole",
      "iam:UpdateAssumeRolePolicy",
      "iam:UpdateRole",
      "iam:UpdateRoleDescription",
    ]
    resources = local.stage_roles
  }

  statement {
    sid       = "PassRoles"
    actions   = ["iam:PassRole"]
    resources = local.stage_roles

    condition {
      test     = "StringEquals"
      variable = "iam:PassedToService"
      values   = ["lambda.amazonaws.com", "scheduler.amazonaws.com"]
    }
  }
}

# Only used with var.vpc of terraform/. What is made must have the tag, what is changed or removed must have it already.
data "aws_iam_policy_document" "deploy_network" {
  statement {
    sid       = "CreateTagged"
    actions   = ["ec2:CreateSecurityGroup", "ec2:CreateVpcEndpoint"]
    resources = ["${local.here.ec2}:security-group/*", "${local.here.ec2}:vpc-endpoint/*"]

    condition {
      test     = "StringLike"
      variable = "aws:RequestTag/Pipeline"
      values   = ["${var.name_prefix}*"]
    }
  }

  # What they are made in and of, which is somebody else's.
  statement {
    sid       = "CreateIn"
    actions   = ["ec2:CreateSecurityGroup", "ec2:CreateVpcEndpoint"]
    resources = [for kind in ["vpc", "subnet", "route-table"] : "${local.here.ec2}:${kind}/*"]
  }

  statement {
    sid = "ChangeTagged"
    actions = [
      "ec2:AuthorizeSecurityGroupEgress",
      "ec2:AuthorizeSecurityGroupIngress",
      "ec2:CreateVpcEndpoint", # with a group of its own
      "ec2:DeleteSecurityGroup",
      "ec2:DeleteTags",
      "ec2:DeleteVpcEndpoints",
      "ec2:ModifySecurityGroupRules",
      "ec2:ModifyVpcEndpoint",
      "ec2:RevokeSecurityGroupEgress",
      "ec2:RevokeSecurityGroupIngress",
    ]
    resources = [for kind in ["security-group", "security-group-rule", "vpc-endpoint"] : "${local.here.ec2}:${kind}/*"]

    condition {
      test     = "StringLike"
      variable = "aws:ResourceTag/Pipeline"
      values   = ["${var.name_prefix}*"]
    }
  }

  # A rule is tagged while it is made.
  statement {
    sid       = "CreateRules"
    actions   = ["ec2:AuthorizeSecurityGroupEgress", "ec2:AuthorizeSecurityGroupIngress"]
    resources = ["${local.here.ec2}:security-group-rule/*"]

    condition {
      test     = "StringLike"
      variable = "aws:RequestTag/Pipeline"
      values   = ["${var.name_prefix}*"]
    }
  }

  statement {
    sid       = "TagWhatIsMade"
    actions   = ["ec2:CreateTags"]
    resources = [for kind in ["security-group", "security-group-rule", "vpc-endpoint"] : "${local.here.ec2}:${kind}/*"]

    condition {
      test     = "StringEquals"
      variable = "ec2:CreateAction"
      values   = ["AuthorizeSecurityGroupEgress", "AuthorizeSecurityGroupIngress", "CreateSecurityGroup", "CreateVpcEndpoint"]
    }
  }

  # An interface endpoint with private DNS puts a zone of AWS' own into the VPC, on behalf of whoever makes it; the zone has no ARN before that.
  statement {
    sid       = "PrivateDns"
    actions   = ["route53:AssociateVPCWithHostedZone"]
    resources = ["arn:${local.partition}:route53:::hostedzone/*", "${local.here.ec2}:vpc/*"]
  }

  # ModifyVpcEndpoint also asks for what it attaches.
  statement {
    sid       = "AttachEndpoints"
    actions   = ["ec2:ModifyVpcEndpoint"]
    resources = [for kind in ["subnet", "route-table"] : "${local.here.ec2}:${kind}/*"]
  }
}
