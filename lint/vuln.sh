#!/usr/bin/env bash
# Look for known vulnerabilities in what the agent uses. Without the database nothing is known, and it says so.
set -uo pipefail
cd "$(dirname "$0")/.." || exit 1

mkdir -p bin
go -C lint build -o ../bin/govulncheck golang.org/x/vuln/cmd/govulncheck || exit 1
out=$(timeout 300 bin/govulncheck ./... 2>&1)
code=$?
echo "$out"
if grep -q 'fetching vulnerabilities' <<<"$out" && [ "$code" -ne 3 ]; then
  echo "vuln: NOT CHECKED: the vulnerability database could not be reached; this counts neither for nor against"
  exit 0
fi
exit "$code"
