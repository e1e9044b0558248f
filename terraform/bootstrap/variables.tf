variable "repository" {
  description = "The repository on GitHub whose workflows deploy: owner/name."
  type        = string

  validation {
    condition     = can(regex("^[A-Za-z0-9](?:[A-Za-z0-9-]*[A-Za-z0-9])?/[A-Za-z0-9._-]+$", var.repository))
    error_message = "repository is owner/name, as in github.com/owner/name, without wildcards."
  }
}

variable "secret_arns" {
  description = "ARNs of the secrets of sources and warehouses of all environments: no role that a workflow makes can read another."
  type        = set(string)

  validation {
    condition     = length(var.secret_arns) > 0 && alltrue([for arn in var.secret_arns : can(regex("^arn:aws[a-z-]*:secretsmanager:[a-z0-9-]+:[0-9]{12}:secret:[^*]+$", arn))])
    error_message = "secret_arns has ARNs of secrets: arn:aws:secretsmanager:<region>:<account>:secret:<name>-<six characters>."
  }
}

variable "secret_kms_key_arns" {
  description = "ARNs of the KMS keys that these secrets are encrypted with, where these are not Secrets Manager's own."
  type        = set(string)
  default     = []

  validation {
    condition     = alltrue([for arn in var.secret_kms_key_arns : can(regex("^arn:aws[a-z-]*:kms:[a-z0-9-]+:[0-9]{12}:key/[a-zA-Z0-9-]+$", arn))])
    error_message = "secret_kms_key_arns has the ARNs of keys (not of aliases): arn:aws:kms:<region>:<account>:key/<id>."
  }
}

variable "name_prefix" {
  description = "What the name_prefix of every environment begins with; the workflows' rights end there."
  type        = string
  default     = "starling"

  validation {
    condition     = can(regex("^[a-z][a-z0-9-]{0,18}[a-z0-9]$", var.name_prefix))
    error_message = "name_prefix has 2 to 20 characters: lower-case letters, digits and hyphens, a letter first, no hyphen last."
  }
}

variable "environments" {
  description = "Environments of the repository that may deploy. Protect them on GitHub: required reviewers, and branch main only."
  type        = set(string)
  default     = ["dev", "prod"]

  validation {
    condition     = length(var.environments) > 0 && alltrue([for name in var.environments : can(regex("^[A-Za-z0-9_-]+$", name))])
    error_message = "environments are names of letters, digits, hyphens and underscores; one at least, and no wildcards."
  }
}

variable "tags" {
  description = "Tags of all resources, beside ManagedBy."
  type        = map(string)
  default     = {}
}
