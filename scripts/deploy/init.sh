#!/usr/bin/env bash
# Terraform with the state of an environment.
# usage: init.sh ENVIRONMENT   (STATE_BUCKET, in AWS_REGION: instead of what env/ENVIRONMENT.s3.tfbackend says)
set -euo pipefail
backend=env/$1.s3.tfbackend

cp terraform/backend.tf.example terraform/backend.tf
if [ ! -f "terraform/$backend" ]; then
  : "${STATE_BUCKET:?is not set, and there is no terraform/$backend}"
  backend=$backend.example
fi
# -reconfigure: another environment's state may have been used here before.
arguments=(-input=false -reconfigure "-backend-config=$backend")
# Of several values of a setting the last one counts.
if [ -n "${STATE_BUCKET:-}" ]; then
  arguments+=("-backend-config=bucket=$STATE_BUCKET" "-backend-config=region=$AWS_REGION")
fi
terraform -chdir=terraform init "${arguments[@]}"
