# A bucket by itself, with the real provider, which writes policies without any account.

provider "aws" {
  region                      = "eu-west-2"
  access_key                  = "none"
  secret_key                  = "none"
  skip_credentials_validation = true
  skip_metadata_api_check     = true
  skip_requesting_account_id  = true
}

override_resource {
  target          = aws_s3_bucket.this
  override_during = plan
  values          = { arn = "arn:aws:s3:::lake", id = "lake" }
}

variables {
  name                    = "lake"
  key_arn                 = "arn:aws:kms:eu-west-2:123456789012:key/1234abcd-12ab-34cd-56ef-1234567890ab"
  immutable_prefixes      = ["log/", "data/", "mirror/"]
  stage_role_arns         = ["arn:aws:iam::123456789012:role/starling-load"]
  infrequent_access_days  = 30
  archive_days            = 90
  noncurrent_version_days = 30
  force_destroy           = false
  emulated                = false
}

run "on_aws" {
  command = plan

  module {
    source = "./modules/bucket"
  }

  assert {
    condition = alltrue([
      aws_s3_bucket_public_access_block.this.block_public_acls, aws_s3_bucket_public_access_block.this.block_public_policy,
      aws_s3_bucket_public_access_block.this.ignore_public_acls, aws_s3_bucket_public_access_block.this.restrict_public_buckets,
    ])
    error_message = "A bucket is closed to the public."
  }

  assert {
    condition = alltrue([
      for rule in aws_s3_bucket_server_side_encryption_configuration.this.rule : rule.bucket_key_enabled &&
      rule.apply_server_side_encryption_by_default[0].sse_algorithm == "aws:kms" && rule.apply_server_side_encryption_by_default[0].kms_master_key_id == var.key_arn
    ])
    error_message = "Objects are encrypted with the key."
  }

  assert {
    condition     = aws_s3_bucket_versioning.this[0].versioning_configuration[0].status == "Enabled" && !aws_s3_bucket.this.force_destroy
    error_message = "A bucket keeps versions, and is not destroyed with what is in it."
  }

  assert {
    condition     = aws_s3_bucket_ownership_controls.this.rule[0].object_ownership == "BucketOwnerEnforced"
    error_message = "There are no access control lists."
  }

  # Every rule has one prefix, which is not the log's: not "" either, nor a part of "log/".
  assert {
    condition = alltrue([
      for rule in aws_s3_bucket_lifecycle_configuration.this.rule :
      length(rule.filter) == 1 && alltrue([for filter in rule.filter : contains(["data/", "mirror/", "split/", "state/"], filter.prefix)])
    ])
    error_message = "No lifecycle rule touches the log."
  }

  assert {
    condition = alltrue(flatten([
      for rule in aws_s3_bucket_lifecycle_configuration.this.rule : [
        for transition in rule.transition : contains(["STANDARD_IA", "GLACIER_IR", "INTELLIGENT_TIERING"], transition.storage_class)
      ]
    ]))
    error_message = "Whatever is in the lake can be read at once."
  }

  assert {
    condition = alltrue([
      for rule in aws_s3_bucket_lifecycle_configuration.this.rule :
      length(rule.abort_incomplete_multipart_upload) == 1 if !contains(["split", "state"], rule.id)
    ])
    error_message = "Uploads that were given up are removed."
  }

  assert {
    condition = {
      for rule in aws_s3_bucket_lifecycle_configuration.this.rule : rule.id => rule.expiration[0].days if rule.id != "data" && try(rule.expiration[0].days, 0) > 0
    } == { split = 30 }
    error_message = "Nothing but plans and marks of ranges goes by itself."
  }

  assert {
    condition     = length(aws_s3_bucket_policy.this) == 1
    error_message = "A bucket has its policy."
  }

  assert {
    condition     = alltrue([for statement in data.aws_iam_policy_document.this.statement : statement.effect == "Deny"])
    error_message = "A bucket's policy gives nothing."
  }

  assert {
    condition = toset(data.aws_iam_policy_document.this.statement[1].resources) == toset(["arn:aws:s3:::lake/log/*", "arn:aws:s3:::lake/data/*", "arn:aws:s3:::lake/mirror/*"]) && (
      { for condition in data.aws_iam_policy_document.this.statement[1].condition : "${condition.test} ${condition.variable}" => condition.values } ==
      { "Null s3:if-none-match" = tolist(["true"]), "Bool s3:ObjectCreationOperation" = tolist(["true"]) }
    )
    error_message = "Nothing is overwritten, and parts of uploads pass."
  }

  assert {
    condition = (
      toset(data.aws_iam_policy_document.this.statement[2].actions) == toset(["s3:DeleteObject", "s3:DeleteObjectVersion"]) &&
      toset(data.aws_iam_policy_document.this.statement[2].resources) == toset(["arn:aws:s3:::lake/log/*"])
    )
    error_message = "The log is not deleted by stages."
  }
}

run "of_csv" {
  command = plan

  module {
    source = "./modules/bucket"
  }

  variables {
    immutable_prefixes = ["log/", "data/"]
  }

  assert {
    condition     = [for rule in aws_s3_bucket_lifecycle_configuration.this.rule : rule.id] == ["data", "split", "state"]
    error_message = "Without mirrors there is no rule for them."
  }
}

run "emulated" {
  command = plan

  module {
    source = "./modules/bucket"
  }

  variables {
    emulated      = true
    force_destroy = true
  }

  assert {
    condition     = length(aws_s3_bucket_policy.this) == 0 && aws_s3_bucket.this.versioning[0].enabled
    error_message = "The emulator does without the policy, and keeps versions all the same."
  }
}
