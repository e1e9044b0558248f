# What is refused, and that the rest has defaults.

mock_provider "aws" {
  override_during = plan
  source          = "./tests/mocks"
}

variables {
  source_secret_arn    = "arn:aws:secretsmanager:eu-west-2:123456789012:secret:shop/source-AbCdEf"
  warehouse_secret_arn = "arn:aws:secretsmanager:eu-west-2:123456789012:secret:shop/warehouse-GhIjKl"
  bundles              = "tests/bundles"
}

run "two_secrets_are_enough" {
  command = plan
}

run "a_secret_is_an_arn_and_no_value" {
  command         = plan
  expect_failures = [var.source_secret_arn, var.warehouse_secret_arn]

  variables {
    source_secret_arn    = "postgresql://reader:secret@db/totesys"
    warehouse_secret_arn = "arn:aws:secretsmanager:eu-west-2:123456789012:secret:*"
  }
}

run "urls_have_no_password" {
  command         = plan
  expect_failures = [var.source_url, var.warehouse_url]

  variables {
    source_url    = "postgresql://reader:secret@db.example.com/totesys"
    warehouse_url = "postgresql://dwh.example.com/warehouse?user=loader&password=secret"
  }
}

run "urls_with_a_user_are_fine" {
  command = plan

  variables {
    source_url    = "postgresql://reader@db.example.com:5432/totesys?sslmode=verify-full"
    warehouse_url = "postgres://[fd00::1]:5432/warehouse"
  }
}

run "names" {
  command         = plan
  expect_failures = [var.name_prefix, var.warehouse_schema, var.source_schema]

  variables {
    name_prefix      = "starling-of-the-north"
    source_schema    = ""
    warehouse_schema = "pipeline"
  }
}

run "names_are_lower_case" {
  command         = plan
  expect_failures = [var.name_prefix]

  variables {
    name_prefix = "Starling"
  }
}

run "times" {
  command         = plan
  expect_failures = [var.schedule_expression, var.sweep_expression, var.freshness_alarm_seconds, var.timeout_seconds, var.maximum_event_age_seconds, var.log_retention_days]

  variables {
    schedule_expression       = "every 15 minutes"
    sweep_expression          = "rate(0 minutes)"
    freshness_alarm_seconds   = 60
    timeout_seconds           = { load = 901 }
    maximum_event_age_seconds = 30
    log_retention_days        = 31
  }
}

run "people" {
  command         = plan
  expect_failures = [var.alert_phone_numbers, var.alert_emails, var.runbook_url]

  variables {
    alert_phone_numbers = ["07700 900123"]
    alert_emails        = ["somebody"]
    runbook_url         = "https://example.com/RUNBOOK.md#top"
  }
}

run "nobody_is_told_twice" {
  command         = plan
  expect_failures = [var.alert_phone_numbers, var.alert_emails]

  variables {
    alert_phone_numbers = ["+447700900123", "+447700900124", "+447700900123"]
    alert_emails        = ["oncall@example.com", "oncall@example.com"]
  }
}

run "sizes" {
  command         = plan
  expect_failures = [var.memory_mb, var.reserved_concurrency]

  variables {
    memory_mb            = { transform = 128 }
    reserved_concurrency = 0
  }
}

run "workers" {
  command         = plan
  expect_failures = [var.backfill_workers, var.range_mb]

  variables {
    backfill_workers = 1
    range_mb         = 0
  }
}

run "ages" {
  command         = plan
  expect_failures = [var.infrequent_access_days, var.noncurrent_version_days]

  variables {
    infrequent_access_days  = 7
    noncurrent_version_days = 0
  }
}

run "ages_in_order" {
  command         = plan
  expect_failures = [var.archive_days]

  variables {
    infrequent_access_days = 60
    archive_days           = 60
  }
}

run "a_vpc_without_route_tables_has_its_own_endpoints" {
  command         = plan
  expect_failures = [var.vpc]

  variables {
    vpc = { id = "vpc-1", subnet_ids = ["subnet-1"], security_group_ids = ["sg-1"] }
  }
}

run "a_vpc_has_subnets_and_groups" {
  command         = plan
  expect_failures = [var.vpc]

  variables {
    vpc = { id = "vpc-1", subnet_ids = [], security_group_ids = [], has_endpoints = true }
  }
}

run "bundles_are_there" {
  command         = plan
  expect_failures = [var.bundles]

  variables {
    bundles = "tests"
  }
}

run "arns_and_tags" {
  command         = plan
  expect_failures = [var.secret_kms_key_arns, var.permissions_boundary_arn, var.tags]

  variables {
    secret_kms_key_arns      = ["alias/secrets"]
    permissions_boundary_arn = "starling-boundary"
    tags                     = { "aws:owner" = "data" }
  }
}
