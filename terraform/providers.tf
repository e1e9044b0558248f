terraform {
  required_version = ">= 1.10" # S3 state locking without a table (use_lockfile)

  required_providers {
    aws = {
      source = "hashicorp/aws"
      # Exact, in place of a lock file, which would hold the checksums of one platform only.
      version = "= 5.100.0"
    }
  }
}

# Region and credentials come from the environment (AWS_REGION, AWS_PROFILE, the role of a workflow).
provider "aws" {
  # What an emulator does not know it answers with 5xx, which the provider would retry for minutes.
  max_retries       = var.emulated ? 2 : null
  s3_use_path_style = var.emulated

  default_tags {
    tags = merge(var.tags, { Pipeline = var.name_prefix, ManagedBy = "terraform" })
  }
}

data "aws_caller_identity" "current" {}
data "aws_partition" "current" {}
data "aws_region" "current" {}

locals {
  account   = data.aws_caller_identity.current.account_id
  partition = data.aws_partition.current.partition
  region    = data.aws_region.current.name

  # What every stage is given.
  pipeline = {
    name_prefix           = var.name_prefix
    region                = local.region
    account               = local.account
    partition             = local.partition
    key_arn               = aws_kms_key.starling.arn
    topic_arn             = aws_sns_topic.alerts.arn
    undelivered_queue_arn = aws_sqs_queue.undelivered.arn
    log_retention_days    = var.log_retention_days
    maximum_event_age     = var.maximum_event_age_seconds
    reserved_concurrency  = var.reserved_concurrency
    backfill_workers      = var.backfill_workers
    paused                = var.paused
    emulated              = var.emulated
    runbook_url           = var.runbook_url
    permissions_boundary  = var.permissions_boundary_arn
    subnets               = var.vpc == null ? [] : var.vpc.subnet_ids
    security_groups       = local.function_security_groups
  }

  functions = {
    ingest    = module.ingest
    transform = module.transform
    load      = module.load
  }
}
