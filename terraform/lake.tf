# The lake: one bucket for what was read from the source, one for what is to be loaded.

module "ingestion" {
  source = "./modules/bucket"

  name                    = "${var.name_prefix}-ingestion-${local.account}-${local.region}"
  key_arn                 = aws_kms_key.starling.arn
  immutable_prefixes      = ["log/", "data/", "split/"]
  stage_role_arns         = [for stage in local.functions : stage.role_arn]
  infrequent_access_days  = var.infrequent_access_days
  archive_days            = var.archive_days
  noncurrent_version_days = var.noncurrent_version_days
  force_destroy           = var.force_destroy || var.emulated
  emulated                = var.emulated
}

module "processed" {
  source = "./modules/bucket"

  name                    = "${var.name_prefix}-processed-${local.account}-${local.region}"
  key_arn                 = aws_kms_key.starling.arn
  immutable_prefixes      = ["log/", "data/", "mirror/", "skip/", "split/"]
  stage_role_arns         = [for stage in local.functions : stage.role_arn]
  infrequent_access_days  = var.infrequent_access_days
  archive_days            = var.archive_days
  noncurrent_version_days = var.noncurrent_version_days
  force_destroy           = var.force_destroy || var.emulated
  emulated                = var.emulated
}
