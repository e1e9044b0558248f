#!/usr/bin/env bash
# Prints the size of each bundle and fails when one is over the limit: a large bundle starts slowly.
# usage: bundle-sizes.sh ZIP…   (BUNDLE_BYTES: the limit; GITHUB_STEP_SUMMARY: where the table goes too)
set -euo pipefail
limit=${BUNDLE_BYTES:-2097152}
failed=0

{
  printf '| bundle | KiB | of %s KiB |\n| --- | ---: | ---: |\n' "$((limit / 1024))"
  for zip in "$@"; do
    size=$(($(wc -c <"$zip")))
    printf '| %s | %d | %d %% |\n' "$(basename "$zip")" "$((size / 1024))" "$((size * 100 / limit))"
  done
} | tee -a "${GITHUB_STEP_SUMMARY:-/dev/null}"

for zip in "$@"; do
  size=$(($(wc -c <"$zip")))
  if [ "$size" -gt "$limit" ]; then
    echo "::error::$(basename "$zip") has $size bytes; $limit are allowed"
    failed=1
  fi
done
exit "$failed"
