# GitHub vouches for a workflow, AWS gives it a role for an hour: no key is kept anywhere.
# An account has this provider once. Where it exists already:
#   terraform import aws_iam_openid_connect_provider.github arn:aws:iam::<account>:oidc-provider/token.actions.githubusercontent.com

resource "aws_iam_openid_connect_provider" "github" {
  url            = "https://token.actions.githubusercontent.com"
  client_id_list = ["sts.amazonaws.com"]
}

locals {
  # Exact subjects, no wildcards. A pull request of a fork gets no token from GitHub.
  subjects = {
    plan   = ["repo:${var.repository}:pull_request", "repo:${var.repository}:ref:refs/heads/main"]
    deploy = [for name in var.environments : "repo:${var.repository}:environment:${name}"]
  }
}

data "aws_iam_policy_document" "trust" {
  for_each = local.subjects

  statement {
    actions = ["sts:AssumeRoleWithWebIdentity"]

    principals {
      type        = "Federated"
      identifiers = [aws_iam_openid_connect_provider.github.arn]
    }

    condition {
      test     = "StringEquals"
      variable = "token.actions.githubusercontent.com:aud"
      values   = ["sts.amazonaws.com"]
    }

    condition {
      test     = "StringEquals"
      variable = "token.actions.githubusercontent.com:sub"
      values   = each.value
    }
  }
}
