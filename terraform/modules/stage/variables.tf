variable "stage" {
  description = "ingest, transform or load."
  type        = string
}

variable "bundle" {
  description = "The function's code, a zip."
  type        = string
}

variable "timeout_seconds" {
  description = "How long one invocation may take."
  type        = number
}

variable "memory_mb" {
  description = "The function's memory."
  type        = number
}

variable "range_mb" {
  description = "How much of a large batch a worker does at a time, in MiB of what the stage reads."
  type        = number
}

variable "environment" {
  description = "The stage's own environment variables; those that are null are left out. Never a secret."
  type        = map(string)
}

variable "policy" {
  description = "What the stage may do in the buckets and with its secret: an IAM policy document."
  type        = string
}

variable "pipeline" {
  description = "What all stages have in common."
  type = object({
    name_prefix           = string
    region                = string
    account               = string
    partition             = string
    key_arn               = string
    topic_arn             = string
    undelivered_queue_arn = string
    log_retention_days    = number
    maximum_event_age     = number
    reserved_concurrency  = number
    backfill_workers      = number
    paused                = bool
    emulated              = bool
    runbook_url           = string
    permissions_boundary  = string
    subnets               = set(string)
    security_groups       = set(string)
  })
}
