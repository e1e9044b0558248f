# plan: reads what terraform/ manages, and its state. It can read no secret's value, no object of the lake, no log.
# The actions are those that the provider was seen to call; "*" inside an ARN stands for the environment's part of a name.

resource "aws_iam_role" "plan" {
  name                 = "${var.name_prefix}-github-plan"
  description          = "Pull requests of ${var.repository}: terraform plan"
  assume_role_policy   = data.aws_iam_policy_document.trust["plan"].json
  max_session_duration = 3600
}

resource "aws_iam_role_policy" "plan" {
  for_each = { read = data.aws_iam_policy_document.read.json, state = data.aws_iam_policy_document.plan_state.json }

  name   = each.key
  role   = aws_iam_role.plan.id
  policy = each.value
}

data "aws_iam_policy_document" "plan_state" {
  statement {
    sid       = "ReadStates"
    actions   = ["s3:GetObject"]
    resources = local.states # without locks: plans of pull requests take none (-lock=false), so that this role writes nothing
  }

  statement {
    sid       = "FindStates"
    actions   = ["s3:ListBucket"]
    resources = [aws_s3_bucket.state.arn]
  }
}

data "aws_iam_policy_document" "read" {
  statement {
    sid = "Buckets"
    actions = [
      "s3:GetAccelerateConfiguration",
      "s3:GetBucketAcl",
      "s3:GetBucketCORS",
      "s3:GetBucketLogging",
      "s3:GetBucketNotification",
      "s3:GetBucketObjectLockConfiguration",
      "s3:GetBucketOwnershipControls",
      "s3:GetBucketPolicy",
      "s3:GetBucketPublicAccessBlock",
      "s3:GetBucketRequestPayment",
      "s3:GetBucketTagging",
      "s3:GetBucketVersioning",
      "s3:GetBucketWebsite",
      "s3:GetEncryptionConfiguration",
      "s3:GetLifecycleConfiguration",
      "s3:GetReplicationConfiguration",
      "s3:ListBucket", # HeadBucket
    ]
    resources = local.lake_buckets
  }

  statement {
    sid = "Functions"
    actions = [
      "lambda:GetFunction",
      "lambda:GetFunctionCodeSigningConfig",
      "lambda:GetFunctionConcurrency",
      "lambda:GetFunctionConfiguration",
      "lambda:GetFunctionEventInvokeConfig",
      "lambda:GetPolicy",
      "lambda:ListTags",
      "lambda:ListVersionsByFunction",
    ]
    resources = local.stage_functions
  }

  # Of which function a mapping is, is a condition.
  statement {
    sid       = "Mappings"
    actions   = ["lambda:GetEventSourceMapping"]
    resources = [local.mappings]

    condition {
      test     = "ArnLike"
      variable = "lambda:FunctionArn"
      values   = local.stage_functions
    }
  }

  # Knows no such condition.
  statement {
    sid       = "TagsOfMappings"
    actions   = ["lambda:ListTags"]
    resources = [local.mappings]
  }

  statement {
    sid       = "Roles"
    actions   = ["iam:GetRole", "iam:GetRolePolicy", "iam:ListAttachedRolePolicies", "iam:ListRolePolicies", "iam:ListRoleTags"]
    resources = local.stage_roles
  }

  statement {
    sid       = "Queues"
    actions   = ["sqs:GetQueueAttributes", "sqs:GetQueueUrl", "sqs:ListQueueTags"]
    resources = local.queues
  }

  statement {
    sid       = "Topic"
    actions   = ["sns:GetTopicAttributes", "sns:ListSubscriptionsByTopic", "sns:ListTagsForResource"]
    resources = local.topics
  }

  statement {
    sid       = "Schedules"
    actions   = ["scheduler:GetSchedule", "scheduler:GetScheduleGroup", "scheduler:ListTagsForResource"]
    resources = local.schedules
  }

  statement {
    sid       = "Watching"
    actions   = ["cloudwatch:GetDashboard", "cloudwatch:ListTagsForResource", "logs:ListTagsForResource"]
    resources = concat(local.alarms, local.dashboards, local.log_groups)
  }

  statement {
    sid       = "Keys"
    actions   = ["kms:DescribeKey", "kms:GetKeyPolicy", "kms:GetKeyRotationStatus", "kms:ListResourceTags"]
    resources = ["${local.here.kms}:key/*"] # a key's ARN says nothing of what it is for; its tag does

    condition {
      test     = "StringLike"
      variable = "aws:ResourceTag/Pipeline"
      values   = ["${var.name_prefix}*"]
    }
  }

  # These list or describe, and know no resource (or none but "*" works with them). They show names and settings, no content.
  statement {
    sid = "Describe"
    actions = [
      "cloudwatch:DescribeAlarms",
      "ec2:DescribeManagedPrefixLists",
      "ec2:DescribeNetworkInterfaces",
      "ec2:DescribePrefixLists",
      "ec2:DescribeRouteTables",
      "ec2:DescribeSecurityGroupRules",
      "ec2:DescribeSecurityGroups",
      "ec2:DescribeSubnets",
      "ec2:DescribeVpcEndpoints",
      "ec2:DescribeVpcs",
      "kms:ListAliases",
      "logs:DescribeLogGroups",
      "sns:GetSubscriptionAttributes",
    ]
    resources = ["*"]
  }
}
