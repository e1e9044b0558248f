#!/usr/bin/env bash
# A plan as Markdown that fits into a comment of GitHub's (65,536 characters).
# usage: summary.sh ENVIRONMENT PLAN.TXT   (SUMMARY_BYTES: how much of the plan at most)
set -euo pipefail
environment=$1 plan=$2
# Bytes are never fewer than characters; the rest is room for what is around the plan.
limit=${SUMMARY_BYTES:-60000}
export LC_ALL=C

verdict=$(grep -E -m 1 '^(Plan: |No changes\.)' "$plan" || echo 'Only outputs change.')
printf '### Terraform plan for `%s`\n\n**%s**\n\n<details><summary>Plan</summary>\n\n' "$environment" "$verdict"
# A fence that the plan cannot close. Cut between lines, so that no character is cut in two.
echo '~~~~~~~~~~'
awk -v limit="$limit" '
  { gsub(/~~~~+/, "~~~"); total += length($0) + 1 }
  total > limit { left = 1 }
  !left { print }
  END { if (left) exit 3 }
' "$plan" && cut=0 || cut=$?
echo '~~~~~~~~~~'
printf '\n</details>\n'
case $cut in
  0) ;;
  3) printf '\nCut: the plan is longer than a comment may be. It is whole in the artifact `plan-%s` of %s\n' "$environment" \
       "${GITHUB_SERVER_URL:-https://github.com}/${GITHUB_REPOSITORY:-}/actions/runs/${GITHUB_RUN_ID:-}" ;;
  *) exit "$cut" ;;
esac
