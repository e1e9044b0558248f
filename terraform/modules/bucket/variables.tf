variable "name" {
  description = "The bucket's name."
  type        = string
}

variable "key_arn" {
  description = "The KMS key of its objects."
  type        = string
}

variable "immutable_prefixes" {
  description = "Where objects are only ever created, never overwritten."
  type        = list(string)
}

variable "stage_role_arns" {
  description = "Roles that may not delete from the log, whatever their own policies say."
  type        = list(string)
}

variable "infrequent_access_days" {
  description = "Age of the first cheaper storage class."
  type        = number
}

variable "archive_days" {
  description = "Age of the cheapest storage class that answers at once."
  type        = number
}

variable "noncurrent_version_days" {
  description = "How long deleted objects can be brought back."
  type        = number
}

variable "force_destroy" {
  description = "Whether it may be destroyed with what is in it."
  type        = bool
}

variable "emulated" {
  description = "Against moto, which evaluates bucket policies wrongly and cannot empty a bucket whose versions are suspended."
  type        = bool
}
