# What the roles of the stages and the schedules can have at most. The deploy role may give rights only to roles with this boundary,
# so that a workflow cannot make itself a role that can do more. terraform/ gets its ARN as permissions_boundary_arn.

resource "aws_iam_policy" "boundary" {
  name        = "${var.name_prefix}-boundary"
  description = "The most that roles of Starling can do"
  policy      = data.aws_iam_policy_document.boundary.json
}

data "aws_iam_policy_document" "boundary" {
  statement {
    sid       = "Lake"
    actions   = ["s3:AbortMultipartUpload", "s3:DeleteObject", "s3:GetObject", "s3:ListBucket", "s3:PutObject"]
    resources = concat(local.lake_buckets, [for bucket in local.lake_buckets : "${bucket}/*"])
  }

  statement {
    sid       = "Secrets"
    actions   = ["secretsmanager:GetSecretValue"]
    resources = var.secret_arns
  }

  # Keys have no names. Which of these a role can use, its own policy says, and the key's.
  statement {
    sid       = "Keys"
    actions   = ["kms:Decrypt", "kms:GenerateDataKey"]
    resources = concat(["${local.here.kms}:key/*"], tolist(var.secret_kms_key_arns))

    condition {
      test     = "StringEquals"
      variable = "kms:ViaService"
      values   = [for service in ["s3", "secretsmanager", "sns"] : "${service}.${local.region}.amazonaws.com"]
    }
  }

  statement {
    sid       = "Alerts"
    actions   = ["sns:Publish"]
    resources = local.topics
  }

  statement {
    sid       = "Queues"
    actions   = ["sqs:SendMessage"]
    resources = local.queues
  }

  statement {
    sid       = "Ranges"
    actions   = ["sqs:ChangeMessageVisibility", "sqs:DeleteMessage", "sqs:GetQueueAttributes", "sqs:ReceiveMessage"]
    resources = local.range_queues
  }

  statement {
    sid       = "Logs"
    actions   = ["logs:CreateLogStream", "logs:PutLogEvents"]
    resources = [for group in local.log_groups : "${group}:*"]
  }

  statement {
    sid       = "Wake"
    actions   = ["lambda:InvokeFunction"]
    resources = local.stage_functions
  }

  # Knows no resource; the namespace is what bounds it.
  statement {
    sid       = "Metrics"
    actions   = ["cloudwatch:PutMetricData"]
    resources = ["*"]

    condition {
      test     = "StringEquals"
      variable = "cloudwatch:namespace"
      values   = ["Starling"]
    }
  }

  # For functions in a VPC: the interfaces have no ARN before Lambda makes them, and the Describe actions know no resource.
  statement {
    sid = "NetworkInterfaces"
    actions = [
      "ec2:AssignPrivateIpAddresses",
      "ec2:CreateNetworkInterface",
      "ec2:DeleteNetworkInterface",
      "ec2:DescribeNetworkInterfaces",
      "ec2:DescribeSubnets",
      "ec2:UnassignPrivateIpAddresses",
    ]
    resources = ["*"]
  }
}
