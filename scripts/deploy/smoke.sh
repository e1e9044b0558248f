#!/usr/bin/env bash
# Does what was deployed work? Wakes ingest, then load until the ledger holds what ingest has committed.
# usage: smoke.sh INGEST LOAD   (names of functions; SMOKE_SECONDS: the limit, SMOKE_PAUSE_SECONDS: between two tries)
set -euo pipefail
ingest=$1 load=$2
limit=${SMOKE_SECONDS:-1800} pause=${SMOKE_PAUSE_SECONDS:-15}

answer=$(mktemp) errors=$(mktemp)
trap 'rm -f "$answer" "$errors"' EXIT
export AWS_MAX_ATTEMPTS=1 # the loops below try again, and know how long they may

fail() { # message; in one line, since the runner reads commands from lines
  printf '::error title=Smoke test::%s\n' "$(tr -s '\r\n' ' ' <<<"$1")"
  exit 1
}

# Sets `head`. Returns 1 where another try may help: throttled, or the network.
invoke() { # function
  local called message
  # Longer than a function may run: the default of 60 s would invoke it again meanwhile.
  if ! called=$(aws lambda invoke --function-name "$1" --payload '{"wake":"deploy"}' --output json \
    --cli-binary-format raw-in-base64-out --cli-read-timeout 910 "$answer" 2>"$errors"); then
    message=$(cat "$errors")
    case $message in
      *AccessDenied* | *ResourceNotFound* | *ExpiredToken* | *credentials*) fail "$1 could not be invoked: $message" ;;
    esac
    printf '%s could not be invoked: %s\n' "$1" "$message"
    return 1
  fi
  if jq -e 'has("FunctionError")' <<<"$called" >/dev/null; then
    fail "$1 failed: $(jq -r '"\(.errorType): \(.errorMessage)"' "$answer"). docs/RUNBOOK.md says what to do"
  fi
  head=$(jq -er '.head | numbers' "$answer") || fail "$1 does not tell its head: $(cat "$answer")"
}

pause_or_fail() { # what is missing
  if [ $((SECONDS + pause)) -ge "$limit" ]; then fail "$1 after $SECONDS s"; fi
  sleep "$pause"
}

until invoke "$ingest"; do pause_or_fail "$ingest was not to be had"; done
wanted=$head
printf '%s has committed batch %d\n' "$ingest" "$wanted"

head=0
until invoke "$load" && [ "$head" -ge "$wanted" ]; do
  printf 'the ledger holds batch %d of %d\n' "$head" "$wanted"
  pause_or_fail "the ledger holds batch $head, not $wanted,"
done
printf 'the ledger holds batch %d: everything that was committed is loaded (%d s)\n' "$head" "$SECONDS"
