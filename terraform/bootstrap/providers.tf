# Once an account, by an administrator, with state on their own machine (or moved into the bucket afterwards): where the states of
# Starling are kept, and how GitHub's workflows get at AWS without a key. The region and credentials come from the environment.

terraform {
  required_version = ">= 1.10"

  required_providers {
    aws = {
      source = "hashicorp/aws"
      # Exact, in place of a lock file, which would hold the checksums of one platform only.
      version = "= 5.100.0"
    }
  }
}

provider "aws" {
  default_tags {
    tags = merge(var.tags, { ManagedBy = "terraform" })
  }
}

data "aws_caller_identity" "current" {}
data "aws_partition" "current" {}
data "aws_region" "current" {}

locals {
  account   = data.aws_caller_identity.current.account_id
  partition = data.aws_partition.current.partition
  region    = data.aws_region.current.name

  # service → "arn:aws:service:region:account", for what is in this account and region.
  here = {
    for service in ["cloudwatch", "ec2", "kms", "lambda", "logs", "scheduler", "sns", "sqs"] :
    service => "arn:${local.partition}:${service}:${local.region}:${local.account}"
  }

  # The names of terraform/ in all environments: <name_prefix>…-ingest and so on. Not the roles and the bucket that are made here.
  stage_functions = [for stage in ["ingest", "transform", "load"] : "${local.here.lambda}:function:${var.name_prefix}*-${stage}"]
  mappings        = "${local.here.lambda}:event-source-mapping:*" # their ids are random
  stage_roles = [
    for role in ["ingest", "transform", "load", "scheduler"] : "arn:${local.partition}:iam::${local.account}:role/${var.name_prefix}*-${role}"
  ]
  lake_buckets = [
    for bucket in ["ingestion", "processed"] :
    "arn:${local.partition}:s3:::${var.name_prefix}*-${bucket}-${local.account}-${local.region}"
  ]
  range_queues = flatten([
    for stage in ["ingest", "transform", "load"] : [
      for queue in ["ranges", "range-dead-letters"] : "${local.here.sqs}:${var.name_prefix}*-${stage}-${queue}"
    ]
  ])
  queues     = concat(local.range_queues, [for queue in ["undelivered", "schedule-dead-letters"] : "${local.here.sqs}:${var.name_prefix}*-${queue}"])
  topics     = ["${local.here.sns}:${var.name_prefix}*-alerts"]
  log_groups = [for stage in ["ingest", "transform", "load"] : "${local.here.logs}:log-group:/aws/lambda/${var.name_prefix}*-${stage}"]
  alarms     = ["${local.here.cloudwatch}:alarm:${var.name_prefix}*"]
  dashboards = ["arn:${local.partition}:cloudwatch::${local.account}:dashboard/${var.name_prefix}*"]
  schedules  = ["${local.here.scheduler}:schedule/${var.name_prefix}*/*", "${local.here.scheduler}:schedule-group/${var.name_prefix}*"]
}
