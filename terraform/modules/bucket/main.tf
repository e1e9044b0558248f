resource "aws_s3_bucket" "this" {
  bucket        = var.name
  force_destroy = var.force_destroy

  # Makes it depend on the key: should it not be empty, and so outlive a destroy, the key that reads it does too.
  lifecycle {
    precondition {
      condition     = var.key_arn != ""
      error_message = "A bucket needs its key."
    }
  }

  # Against moto in the way of old, since a resource of its own is destroyed before the bucket, by suspending the versions:
  # of a suspended bucket moto cannot delete what has a delete marker.
  dynamic "versioning" {
    for_each = var.emulated ? ["enabled"] : []

    content {
      enabled = true
    }
  }
}

resource "aws_s3_bucket_public_access_block" "this" {
  bucket                  = aws_s3_bucket.this.id
  block_public_acls       = true
  block_public_policy     = true
  ignore_public_acls      = true
  restrict_public_buckets = true
}

resource "aws_s3_bucket_ownership_controls" "this" {
  bucket = aws_s3_bucket.this.id

  rule {
    object_ownership = "BucketOwnerEnforced"
  }
}

resource "aws_s3_bucket_versioning" "this" {
  count = var.emulated ? 0 : 1

  bucket = aws_s3_bucket.this.id

  versioning_configuration {
    status = "Enabled"
  }
}

resource "aws_s3_bucket_server_side_encryption_configuration" "this" {
  bucket = aws_s3_bucket.this.id

  rule {
    bucket_key_enabled = true # one call to KMS a bucket and while, not one an object

    apply_server_side_encryption_by_default {
      sse_algorithm     = "aws:kms"
      kms_master_key_id = var.key_arn
    }
  }
}

# No rule has the whole bucket, and none has log/: an entry stays in STANDARD, and so do all its versions, for ever. Should somebody delete one,
# it can be brought back whenever that is noticed. Objects under 128 KB stay where they are too; moving them would cost more than it saves.
resource "aws_s3_bucket_lifecycle_configuration" "this" {
  bucket     = aws_s3_bucket.this.id
  depends_on = [aws_s3_bucket_versioning.this]

  rule {
    id     = "data"
    status = "Enabled"

    filter {
      prefix = "data/"
    }

    # Read once or twice when new, and then for a rebuild. Both classes answer at once.
    transition {
      days          = var.infrequent_access_days
      storage_class = "STANDARD_IA"
    }

    transition {
      days          = var.archive_days
      storage_class = "GLACIER_IR"
    }

    noncurrent_version_expiration {
      noncurrent_days = var.noncurrent_version_days
    }

    expiration {
      expired_object_delete_marker = true
    }

    abort_incomplete_multipart_upload {
      days_after_initiation = 1 # a function lives for 15 minutes
    }
  }

  # Only the bucket of mirrors has objects there.
  dynamic "rule" {
    for_each = contains(var.immutable_prefixes, "mirror/") ? ["mirror/"] : []

    content {
      id     = "mirror"
      status = "Enabled"

      filter {
        prefix = rule.value
      }

      # A mirror that does not change is read with every batch, however old it is, and GLACIER_IR charges for reading: so by use, not by age.
      transition {
        days          = var.infrequent_access_days
        storage_class = "INTELLIGENT_TIERING"
      }

      noncurrent_version_expiration {
        noncurrent_days = var.noncurrent_version_days
      }

      expiration {
        expired_object_delete_marker = true
      }

      abort_incomplete_multipart_upload {
        days_after_initiation = 1
      }
    }
  }

  # Plans and marks of batches that were done in ranges: nobody reads them once the batch is committed, and what was never finished is planned anew.
  rule {
    id     = "split"
    status = "Enabled"

    filter {
      prefix = "split/"
    }

    expiration {
      days = 30
    }

    noncurrent_version_expiration {
      noncurrent_days = 1
    }
  }

  rule {
    id     = "state"
    status = "Enabled"

    filter {
      prefix = "state/"
    }

    # Overwritten with every invocation, and advisory.
    noncurrent_version_expiration {
      noncurrent_days = 1
    }

    expiration {
      expired_object_delete_marker = true
    }
  }
}

data "aws_iam_policy_document" "this" {
  statement {
    sid    = "OnlyOverTls"
    effect = "Deny"
    # All actions: those that are forgotten in a list would be those that leak.
    actions   = ["s3:*"]
    resources = [aws_s3_bucket.this.arn, "${aws_s3_bucket.this.arn}/*"]

    principals {
      type        = "*"
      identifiers = ["*"]
    }

    condition {
      test     = "Bool"
      variable = "aws:SecureTransport"
      values   = ["false"]
    }
  }

  # Nobody overwrites. Creating and filling a multipart upload is not an ObjectCreationOperation (those requests take no condition); completing it is.
  statement {
    sid       = "OnlyIfNoneMatch"
    effect    = "Deny"
    actions   = ["s3:PutObject"]
    resources = [for prefix in var.immutable_prefixes : "${aws_s3_bucket.this.arn}/${prefix}*"]

    principals {
      type        = "*"
      identifiers = ["*"]
    }

    condition {
      test     = "Null"
      variable = "s3:if-none-match"
      values   = ["true"]
    }

    condition {
      test     = "Bool"
      variable = "s3:ObjectCreationOperation"
      values   = ["true"]
    }
  }

  # A delete followed by a put would pass the statement above. By condition and not as principals: those are kept as the
  # roles' internal ids, and a role that was created anew would not be meant any more.
  statement {
    sid       = "StagesKeepTheLog"
    effect    = "Deny"
    actions   = ["s3:DeleteObject", "s3:DeleteObjectVersion"]
    resources = ["${aws_s3_bucket.this.arn}/log/*"]

    principals {
      type        = "*"
      identifiers = ["*"]
    }

    condition {
      test     = "ArnEquals"
      variable = "aws:PrincipalArn"
      values   = var.stage_role_arns
    }
  }
}

resource "aws_s3_bucket_policy" "this" {
  # moto takes any condition but StringEquals for fulfilled: the first statement would refuse everything, the second every
  # write to the lake, the third everybody's deletes.
  count = var.emulated ? 0 : 1

  bucket     = aws_s3_bucket.this.id
  policy     = data.aws_iam_policy_document.this.json
  depends_on = [aws_s3_bucket_public_access_block.this]
}
