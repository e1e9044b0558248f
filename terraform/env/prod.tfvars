# What differs from the defaults in prod. ARNs, phone numbers and addresses are given by whoever deploys: in a file beside
# that is not committed (-var-file twice), or as TF_VAR_source_secret_arn and so on.

name_prefix        = "starling"
log_retention_days = 90
tags               = { Environment = "prod" }
