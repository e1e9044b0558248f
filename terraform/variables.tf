# Required: the two secrets. Everything else has a default.

variable "source_secret_arn" {
  description = "ARN of the secret with the source's credentials, in RDS' JSON or as a plain postgresql:// URL. The whole ARN, with the six characters at its end."
  type        = string

  validation {
    condition     = can(regex("^arn:aws[a-z-]*:secretsmanager:[a-z0-9-]+:[0-9]{12}:secret:[^*]+$", var.source_secret_arn))
    error_message = "source_secret_arn is not the ARN of a secret: arn:aws:secretsmanager:<region>:<account>:secret:<name>-<six characters>."
  }
}

variable "warehouse_secret_arn" {
  description = "ARN of the secret with the warehouse's credentials, in RDS' JSON or as a plain postgresql:// URL. The whole ARN, with the six characters at its end."
  type        = string

  validation {
    condition     = can(regex("^arn:aws[a-z-]*:secretsmanager:[a-z0-9-]+:[0-9]{12}:secret:[^*]+$", var.warehouse_secret_arn))
    error_message = "warehouse_secret_arn is not the ARN of a secret: arn:aws:secretsmanager:<region>:<account>:secret:<name>-<six characters>."
  }
}

variable "name_prefix" {
  description = "The pipeline's name: every resource's name begins with it, and its metrics and logs carry it. Two pipelines in an account need two names."
  type        = string
  default     = "starling"

  validation {
    condition     = can(regex("^[a-z][a-z0-9-]{0,18}[a-z0-9]$", var.name_prefix)) && !strcontains(var.name_prefix, "--")
    error_message = "name_prefix has 2 to 20 characters: lower-case letters, digits and single hyphens, a letter first, no hyphen last."
  }
}

# The databases

variable "source_schema" {
  description = "Schema of the source's tables."
  type        = string
  default     = "public"

  validation {
    condition     = length(var.source_schema) > 0 && length(var.source_schema) <= 63
    error_message = "source_schema is the name of a PostgreSQL schema: 1 to 63 characters."
  }
}

variable "warehouse_schema" {
  description = "Schema of the warehouse's star. Bookkeeping is in schema pipeline."
  type        = string
  default     = "public"

  validation {
    condition     = length(var.warehouse_schema) > 0 && length(var.warehouse_schema) <= 63 && var.warehouse_schema != "pipeline"
    error_message = "warehouse_schema is the name of a PostgreSQL schema: 1 to 63 characters, and not pipeline, which is taken."
  }
}

variable "source_url" {
  description = "postgresql:// URL without password: host and database; they win over the secret's (RDS Proxy), and are needed where the secret has only user and password (as those that RDS manages)."
  type        = string
  default     = null

  validation {
    condition = var.source_url == null ? true : (
      can(regex("^postgres(ql)?://[^\\s]+$", var.source_url)) && !can(regex("(//[^/@]*:[^/@]*@)|([?&]password=)", var.source_url))
    )
    error_message = "source_url is a postgresql:// URL and has no password: that belongs into the secret, for this URL is in Terraform's state."
  }
}

variable "warehouse_url" {
  description = "postgresql:// URL without password: host and database; they win over the secret's (RDS Proxy), and are needed where the secret has only user and password (as those that RDS manages)."
  type        = string
  default     = null

  validation {
    condition = var.warehouse_url == null ? true : (
      can(regex("^postgres(ql)?://[^\\s]+$", var.warehouse_url)) && !can(regex("(//[^/@]*:[^/@]*@)|([?&]password=)", var.warehouse_url))
    )
    error_message = "warehouse_url is a postgresql:// URL and has no password: that belongs into the secret, for this URL is in Terraform's state."
  }
}

variable "secret_kms_key_arns" {
  description = "ARNs of the KMS keys that the two secrets are encrypted with, where these are not Secrets Manager's own."
  type        = set(string)
  default     = []

  validation {
    condition     = alltrue([for arn in var.secret_kms_key_arns : can(regex("^arn:aws[a-z-]*:kms:[a-z0-9-]+:[0-9]{12}:key/[a-zA-Z0-9-]+$", arn))])
    error_message = "secret_kms_key_arns has the ARNs of keys (not of aliases): arn:aws:kms:<region>:<account>:key/<id>."
  }
}

# When

variable "schedule_expression" {
  description = "When ingest looks at the source: rate(…) or cron(…) of EventBridge Scheduler, in UTC. Less often than every 20 minutes: raise freshness_alarm_seconds too."
  type        = string
  default     = "rate(15 minutes)"

  validation {
    condition     = can(regex("^(rate\\([1-9][0-9]* (minute|minutes|hour|hours|day|days)\\)|cron\\([^()]+\\))$", var.schedule_expression))
    error_message = "schedule_expression is rate(15 minutes) or cron(0/15 * * * ? *), for example."
  }
}

variable "sweep_expression" {
  description = "When transform and load look for batches of which no event told. Load measures the freshness then, and the freshness alarm expects a measurement every 5 minutes: it takes silence for the worst."
  type        = string
  default     = "rate(5 minutes)"

  validation {
    condition     = can(regex("^(rate\\([1-9][0-9]* (minute|minutes|hour|hours|day|days)\\)|cron\\([^()]+\\))$", var.sweep_expression))
    error_message = "sweep_expression is rate(5 minutes) or cron(0/5 * * * ? *), for example."
  }
}

variable "paused" {
  description = "Stops the schedules and the workers, and with them the pipeline; the freshness alarm stays silent. Nothing is lost: it carries on where it stopped."
  type        = bool
  default     = false
}

# Who is told

variable "alert_phone_numbers" {
  description = "Phone numbers that get an SMS, in E.164: +447700900123. New ones go last; who leaves is replaced by \"\", so that the others keep their places. They are in Terraform's state, and not shown in plans."
  type        = list(string)
  default     = []
  sensitive   = true

  validation {
    condition     = alltrue([for number in var.alert_phone_numbers : number == "" || can(regex("^\\+[1-9][0-9]{6,14}$", number))])
    error_message = "alert_phone_numbers are in E.164, without spaces: +447700900123."
  }

  validation {
    condition     = length(distinct(compact(var.alert_phone_numbers))) == length(compact(var.alert_phone_numbers))
    error_message = "alert_phone_numbers has a number twice."
  }
}

variable "alert_emails" {
  description = "Addresses that get an email. Each has to confirm its subscription once, by the link in the first one. In order, in the state, and not in plans, as the numbers."
  type        = list(string)
  default     = []
  sensitive   = true

  validation {
    condition     = alltrue([for address in var.alert_emails : address == "" || can(regex("^[^@\\s]+@[^@\\s]+\\.[^@\\s]+$", address))])
    error_message = "alert_emails are addresses: somebody@example.com."
  }

  validation {
    condition     = length(distinct(compact(var.alert_emails))) == length(compact(var.alert_emails))
    error_message = "alert_emails has an address twice."
  }
}

variable "runbook_url" {
  description = "Where docs/RUNBOOK.md can be read by whoever is on call; the alarms link to its headings."
  type        = string
  default     = "docs/RUNBOOK.md"

  validation {
    condition     = can(regex("^[^\\s#]{1,300}$", var.runbook_url))
    error_message = "runbook_url is one address of at most 300 characters, without spaces and without #, which the alarms add."
  }
}

variable "freshness_alarm_seconds" {
  description = "The freshness alarm rings above this. 1500 s (25 minutes) suit the default schedule, and the promise of 30 minutes."
  type        = number
  default     = 1500

  validation {
    condition     = var.freshness_alarm_seconds >= 300 && floor(var.freshness_alarm_seconds) == var.freshness_alarm_seconds
    error_message = "freshness_alarm_seconds is a whole number of seconds, 300 at least: freshness is measured every 5 minutes."
  }
}

# The functions

variable "bundles" {
  description = "Folder with ingest.zip, transform.zip and load.zip, as `make build` leaves them."
  type        = string
  default     = "../dist/lambda"

  validation {
    condition     = alltrue([for stage in ["ingest", "transform", "load"] : fileexists("${var.bundles}/${stage}.zip")])
    error_message = "The folder of bundles lacks ingest.zip, transform.zip or load.zip: run `make build`, or set bundles."
  }
}

variable "timeout_seconds" {
  description = "How long one invocation of each stage may take. They stop between batches when their time is nearly up, so it bounds one batch; the first one is the largest."
  type = object({
    ingest    = optional(number, 900)
    transform = optional(number, 900)
    load      = optional(number, 900)
  })
  default = {}

  validation {
    condition     = alltrue([for seconds in values(var.timeout_seconds) : seconds >= 60 && seconds <= 900 && floor(seconds) == seconds])
    error_message = "timeout_seconds are whole numbers from 60 to 900, which is the most that Lambda allows."
  }
}

variable "memory_mb" {
  description = "Memory of each stage's function, and with it its share of CPU (1769 MB: one whole). Transform holds the mirrored tables."
  type = object({
    ingest    = optional(number, 1024)
    transform = optional(number, 2048)
    load      = optional(number, 1024)
  })
  default = {}

  validation {
    condition     = alltrue([for mb in values(var.memory_mb) : mb >= 256 && mb <= 10240 && floor(mb) == mb])
    error_message = "memory_mb are whole numbers from 256 to 10240."
  }
}

variable "maximum_event_age_seconds" {
  description = "How long Lambda goes on to try an event. Six hours, the longest: a wake-up that waits behind a running worker is healthy and must not reach the queue of the undelivered."
  type        = number
  default     = 21600

  validation {
    condition     = var.maximum_event_age_seconds >= 60 && var.maximum_event_age_seconds <= 21600
    error_message = "maximum_event_age_seconds is from 60 to 21600."
  }
}

variable "reserved_concurrency" {
  description = "Concurrent executions to reserve for, and limit to, a stage. None by default: a new account has 10 in all and cannot reserve any. 1 saves work; correctness does not need it. It counts the workers of a large batch too: with fewer than backfill_workers and two for the looks, SQS delivers ranges that Lambda then throttles, and a range that had five such deliveries is among the dead letters, though nothing is wrong with it."
  type        = number
  default     = null

  validation {
    condition     = var.reserved_concurrency == null ? true : var.reserved_concurrency >= 1 && floor(var.reserved_concurrency) == var.reserved_concurrency
    error_message = "reserved_concurrency is a whole number, 1 at least (0 would stop the stages: use paused), or null."
  }
}

variable "backfill_workers" {
  description = "How many workers a stage has at most for a batch that is too large for one invocation (over 4 × range_mb). Ingest opens a connection to the source, and load one to the warehouse, for each. They count as concurrent executions of the account (a new one has 10 in all) and of reserved_concurrency."
  type        = number
  default     = 8

  validation {
    condition     = var.backfill_workers >= 2 && var.backfill_workers <= 1000 && floor(var.backfill_workers) == var.backfill_workers
    error_message = "backfill_workers is a whole number from 2 to 1000, which is what an event source mapping takes."
  }
}

variable "range_mb" {
  description = "About how much of a large batch a worker does at a time, in MiB of the source's tables or of CSV; of Parquet, which load reads, an eighth. A batch of more than four times as much is done in ranges. A range must be done within timeout_seconds."
  type        = number
  default     = 1024

  validation {
    condition     = var.range_mb >= 1 && var.range_mb <= 65536 && floor(var.range_mb) == var.range_mb
    error_message = "range_mb is a whole number from 1 to 65536."
  }
}

variable "log_retention_days" {
  description = "How long CloudWatch keeps the functions' logs."
  type        = number
  default     = 30

  validation {
    condition     = contains([1, 3, 5, 7, 14, 30, 60, 90, 120, 150, 180, 365, 400, 545, 731, 1096, 1827, 2192, 2557, 2922, 3288, 3653], var.log_retention_days)
    error_message = "log_retention_days is one of the numbers CloudWatch knows: 1, 3, 5, 7, 14, 30, 60, 90, 120, 150, 180, 365, 400, 545, 731, 1096, 1827, …"
  }
}

variable "vpc" {
  description = <<-EOT
    For databases that are reached from within a VPC only. Functions in it have no internet, so that AWS' services need endpoints:
    - id, subnet_ids: where the functions run; private subnets, one a zone (an endpoint cannot be in a zone twice), two for safety.
    - security_group_ids: given to the functions, so that the databases' own groups can admit them (port 5432).
    - route_table_ids: those of the subnets; they get the gateway endpoint for S3.
    - has_endpoints: true where the VPC already leads to S3, Secrets Manager, SNS, SQS and CloudWatch (NAT, or endpoints of its own); then nothing is created in it.
    - endpoint_client_security_group_ids: an interface endpoint takes over its service's name for the whole VPC; groups of others in it that use Secrets Manager, SNS, SQS or CloudWatch.
  EOT
  type = object({
    id                                 = string
    subnet_ids                         = set(string)
    security_group_ids                 = set(string)
    route_table_ids                    = optional(set(string), [])
    has_endpoints                      = optional(bool, false)
    endpoint_client_security_group_ids = optional(set(string), [])
  })
  default = null

  validation {
    condition     = var.vpc == null ? true : length(var.vpc.subnet_ids) > 0 && length(var.vpc.security_group_ids) > 0
    error_message = "vpc needs subnet_ids to run in and security_group_ids that the databases admit."
  }

  validation {
    condition     = var.vpc == null ? true : var.vpc.has_endpoints || length(var.vpc.route_table_ids) > 0
    error_message = "vpc needs route_table_ids for the endpoint of S3, unless has_endpoints says that the VPC leads there already."
  }
}

# The buckets

variable "infrequent_access_days" {
  description = "Age at which objects under data/ go to STANDARD_IA, and those under mirror/ to INTELLIGENT_TIERING."
  type        = number
  default     = 30

  validation {
    condition     = var.infrequent_access_days >= 30
    error_message = "infrequent_access_days is 30 at least, which is S3's rule."
  }
}

variable "archive_days" {
  description = "Age at which objects under data/ go to GLACIER_IR, which answers as fast as STANDARD."
  type        = number
  default     = 90

  validation {
    condition     = var.archive_days >= var.infrequent_access_days + 30
    error_message = "archive_days is at least 30 more than infrequent_access_days, which is what STANDARD_IA charges anyway."
  }
}

variable "noncurrent_version_days" {
  description = "How long what was deleted under data/ and mirror/ can be brought back. Versions under log/ are kept for ever."
  type        = number
  default     = 30

  validation {
    condition     = var.noncurrent_version_days >= 1
    error_message = "noncurrent_version_days is 1 at least."
  }
}

variable "force_destroy" {
  description = "Lets `terraform destroy` delete buckets that are not empty, with every version of every batch."
  type        = bool
  default     = false
}

# The rest

variable "permissions_boundary_arn" {
  description = "Permissions boundary of all roles; the deploy role of terraform/bootstrap can only create roles that have its."
  type        = string
  default     = null

  validation {
    condition     = var.permissions_boundary_arn == null ? true : can(regex("^arn:aws[a-z-]*:iam::[0-9]{12}:policy/.+$", var.permissions_boundary_arn))
    error_message = "permissions_boundary_arn is the ARN of a policy: arn:aws:iam::<account>:policy/<name>."
  }
}

variable "tags" {
  description = "Tags of all resources, beside Pipeline and ManagedBy."
  type        = map(string)
  default     = {}

  validation {
    condition     = alltrue([for key in keys(var.tags) : !startswith(lower(key), "aws:")])
    error_message = "tags may not begin with aws:, which AWS keeps for itself."
  }
}

variable "emulated" {
  description = "For tests against moto: leaves out what it evaluates wrongly (the bucket policies), lets no queue wake a function, and destroys the buckets with what is in them."
  type        = bool
  default     = false
}
