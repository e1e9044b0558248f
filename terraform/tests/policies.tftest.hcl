# The statements of the stages, with the real provider, which writes policies without any account.

provider "aws" {
  region                      = "eu-west-2"
  access_key                  = "none"
  secret_key                  = "none"
  skip_credentials_validation = true
  skip_metadata_api_check     = true
  skip_requesting_account_id  = true
}

override_data {
  target = data.aws_caller_identity.current
  values = { account_id = "123456789012" }
}

override_module {
  target          = module.ingestion
  override_during = plan
  outputs         = { name = "ingestion", arn = "arn:aws:s3:::ingestion", policy = "{}" }
}

override_module {
  target          = module.processed
  override_during = plan
  outputs         = { name = "processed", arn = "arn:aws:s3:::processed", policy = "{}" }
}

variables {
  source_secret_arn    = "arn:aws:secretsmanager:eu-west-2:123456789012:secret:shop/source-AbCdEf"
  warehouse_secret_arn = "arn:aws:secretsmanager:eu-west-2:123456789012:secret:shop/warehouse-GhIjKl"
  bundles              = "tests/bundles"
}

run "statements" {
  command = plan

  assert {
    condition = alltrue(flatten([
      for document in [data.aws_iam_policy_document.ingest, data.aws_iam_policy_document.transform, data.aws_iam_policy_document.load] : [
        for statement in document.statement : [for text in concat(tolist(statement.actions), [for resource in statement.resources : trimsuffix(resource, "/*")]) : !strcontains(text, "*")]
      ]
    ]))
    error_message = "Actions are exact, and a resource's only wildcard is what is below a prefix."
  }

  assert {
    condition = { for statement in data.aws_iam_policy_document.ingest.statement : statement.sid => join(" ", concat(sort(statement.actions), sort(statement.resources))) } == {
      Write  = "s3:PutObject arn:aws:s3:::ingestion/data/* arn:aws:s3:::ingestion/log/* arn:aws:s3:::ingestion/split/* arn:aws:s3:::ingestion/state/*"
      Read   = "s3:GetObject arn:aws:s3:::ingestion/data/* arn:aws:s3:::ingestion/log/* arn:aws:s3:::ingestion/split/* arn:aws:s3:::ingestion/state/*"
      Delete = "s3:DeleteObject arn:aws:s3:::ingestion/data/* arn:aws:s3:::ingestion/state/alerts/*"
      Abort  = "s3:AbortMultipartUpload arn:aws:s3:::ingestion/data/*"
      List   = "s3:ListBucket arn:aws:s3:::ingestion"
      Secret = "secretsmanager:GetSecretValue arn:aws:secretsmanager:eu-west-2:123456789012:secret:shop/source-AbCdEf"
    }
    error_message = "ingest may do something else than it should."
  }

  assert {
    condition = { for statement in data.aws_iam_policy_document.transform.statement : statement.sid => join(" ", concat(sort(statement.actions), sort(statement.resources))) } == {
      ReadIngestion = "s3:GetObject arn:aws:s3:::ingestion/data/* arn:aws:s3:::ingestion/log/*"
      ListIngestion = "s3:ListBucket arn:aws:s3:::ingestion"
      Write         = "s3:PutObject arn:aws:s3:::processed/data/* arn:aws:s3:::processed/log/* arn:aws:s3:::processed/mirror/* arn:aws:s3:::processed/split/* arn:aws:s3:::processed/state/*"
      Read          = "s3:GetObject arn:aws:s3:::processed/data/* arn:aws:s3:::processed/log/* arn:aws:s3:::processed/mirror/* arn:aws:s3:::processed/split/* arn:aws:s3:::processed/state/*"
      Delete        = "s3:DeleteObject arn:aws:s3:::processed/state/alerts/*"
      Abort         = "s3:AbortMultipartUpload arn:aws:s3:::processed/data/* arn:aws:s3:::processed/mirror/*"
      List          = "s3:ListBucket arn:aws:s3:::processed"
    }
    error_message = "transform may do something else than it should."
  }

  assert {
    condition = { for statement in data.aws_iam_policy_document.load.statement : statement.sid => join(" ", concat(sort(statement.actions), sort(statement.resources))) } == {
      ReadIngestion = "s3:GetObject arn:aws:s3:::ingestion/state/ingest.json"
      ListIngestion = "s3:ListBucket arn:aws:s3:::ingestion"
      Read          = "s3:GetObject arn:aws:s3:::processed/data/* arn:aws:s3:::processed/log/* arn:aws:s3:::processed/state/*"
      Write         = "s3:PutObject arn:aws:s3:::processed/state/*"
      Delete        = "s3:DeleteObject arn:aws:s3:::processed/state/alerts/*"
      List          = "s3:ListBucket arn:aws:s3:::processed"
      Secret        = "secretsmanager:GetSecretValue arn:aws:secretsmanager:eu-west-2:123456789012:secret:shop/warehouse-GhIjKl"
    }
    error_message = "load may do something else than it should."
  }

  assert {
    condition = alltrue(flatten([
      for document in [data.aws_iam_policy_document.ingest, data.aws_iam_policy_document.transform, data.aws_iam_policy_document.load] : [
        for statement in document.statement : anytrue([for condition in statement.condition : condition.variable == "s3:prefix"]) if contains(statement.actions, "s3:ListBucket")
      ]
    ]))
    error_message = "A stage lists what it reads, and no whole bucket."
  }
}

run "secrets_with_keys_of_their_own" {
  command = plan

  variables {
    secret_kms_key_arns = ["arn:aws:kms:eu-west-2:123456789012:key/1234abcd-12ab-34cd-56ef-1234567890ab"]
  }

  assert {
    condition = alltrue([
      for document in [data.aws_iam_policy_document.ingest, data.aws_iam_policy_document.load] :
      anytrue([for statement in document.statement : toset(statement.actions) == toset(["kms:Decrypt"]) && toset(statement.resources) == var.secret_kms_key_arns])
    ])
    error_message = "Who reads a secret may use its key."
  }

  assert {
    condition     = !anytrue([for statement in data.aws_iam_policy_document.transform.statement : statement.sid == "SecretKey"])
    error_message = "transform reads no secret."
  }
}
