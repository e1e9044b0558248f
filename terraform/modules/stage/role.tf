data "aws_iam_policy_document" "trust" {
  statement {
    actions = ["sts:AssumeRole"]

    principals {
      type        = "Service"
      identifiers = ["lambda.amazonaws.com"]
    }
  }
}

resource "aws_iam_role" "this" {
  name                 = local.name
  description          = "What Starling's stage ${var.stage} may do"
  assume_role_policy   = data.aws_iam_policy_document.trust.json
  permissions_boundary = var.pipeline.permissions_boundary
}

resource "aws_iam_role_policy" "stage" {
  name   = var.stage
  role   = aws_iam_role.this.id
  policy = var.policy
}

resource "aws_iam_role_policy" "common" {
  name   = "common"
  role   = aws_iam_role.this.id
  policy = data.aws_iam_policy_document.common.json
}

# What every stage does beside its work: logs, metrics, alerts.
data "aws_iam_policy_document" "common" {
  statement {
    sid       = "Logs"
    actions   = ["logs:CreateLogStream", "logs:PutLogEvents"]
    resources = ["${aws_cloudwatch_log_group.this.arn}:*"] # the group's streams
  }

  statement {
    sid       = "Metrics"
    actions   = ["cloudwatch:PutMetricData"]
    resources = ["*"] # PutMetricData knows no resource; the namespace is what bounds it

    condition {
      test     = "StringEquals"
      variable = "cloudwatch:namespace"
      values   = ["Starling"]
    }
  }

  statement {
    sid       = "Alerts"
    actions   = ["sns:Publish"]
    resources = [var.pipeline.topic_arn]
  }

  # The objects of both buckets and the messages of the topic; which of them, the statements for these say. A multipart upload needs both actions.
  statement {
    sid       = "Key"
    actions   = ["kms:Decrypt", "kms:GenerateDataKey"]
    resources = [var.pipeline.key_arn]

    condition {
      test     = "StringEquals"
      variable = "kms:ViaService"
      values   = ["s3.${var.pipeline.region}.amazonaws.com", "sns.${var.pipeline.region}.amazonaws.com"]
    }
  }

  statement {
    sid       = "Undelivered"
    actions   = ["sqs:SendMessage"]
    resources = [var.pipeline.undelivered_queue_arn]
  }

  # Of its ranges: the looks send and count, the workers say when one should come back, and Lambda receives and deletes for them.
  statement {
    sid = "Ranges"
    actions = [
      "sqs:ChangeMessageVisibility",
      "sqs:DeleteMessage",
      "sqs:GetQueueAttributes",
      "sqs:ReceiveMessage",
      "sqs:SendMessage",
    ]
    resources = [aws_sqs_queue.ranges.arn]
  }

  dynamic "statement" {
    for_each = local.in_vpc ? ["in_vpc"] : []

    content {
      sid = "NetworkInterfaces"
      actions = [
        "ec2:AssignPrivateIpAddresses",
        "ec2:CreateNetworkInterface",
        "ec2:DeleteNetworkInterface",
        "ec2:DescribeNetworkInterfaces",
        "ec2:DescribeSubnets",
        "ec2:UnassignPrivateIpAddresses",
      ]
      # The Describe actions know no resource, and the interfaces have no ARN before Lambda makes them: it refuses a role that has less.
      resources = ["*"]
    }
  }

  # Lambda itself uses the statement above; the code that runs in the function may not.
  dynamic "statement" {
    for_each = local.in_vpc ? ["in_vpc"] : []

    content {
      sid    = "NetworkInterfacesNotByTheCode"
      effect = "Deny"
      actions = [
        "ec2:AssignPrivateIpAddresses",
        "ec2:CreateNetworkInterface",
        "ec2:DeleteNetworkInterface",
        "ec2:DescribeNetworkInterfaces",
        "ec2:DescribeSubnets",
        "ec2:UnassignPrivateIpAddresses",
      ]
      resources = ["*"]

      condition {
        test     = "ArnEquals"
        variable = "lambda:SourceFunctionArn"
        # Not the function's attribute: it waits for this policy.
        values = ["arn:${var.pipeline.partition}:lambda:${var.pipeline.region}:${var.pipeline.account}:function:${local.name}"]
      }
    }
  }
}
