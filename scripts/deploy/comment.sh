#!/usr/bin/env bash
# Posts a comment on a pull request, or updates the one that it posted before under the same name.
# usage: comment.sh PULL_REQUEST NAME BODY.MD   (GITHUB_REPOSITORY, GH_TOKEN)
set -euo pipefail
number=$1 marker="<!-- starling: $2 -->" body=$3
comments="repos/$GITHUB_REPOSITORY/issues/$number/comments"

text=$(mktemp)
trap 'rm -f "$text"' EXIT
{ printf '%s\n' "$marker"; cat "$body"; } >"$text"

# Others can write the marker too; only what the workflow wrote is its own.
mine=$(gh api --paginate "$comments?per_page=100" | jq -rn --arg marker "$marker" '
  [inputs[] | select(.user.login == "github-actions[bot]" and (.body | startswith($marker))) | .id] | first // empty')
if [ -n "$mine" ]; then
  gh api --silent --method PATCH "repos/$GITHUB_REPOSITORY/issues/comments/$mine" -F "body=@$text"
else
  gh api --silent --method POST "$comments" -F "body=@$text"
fi
