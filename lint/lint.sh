#!/usr/bin/env bash
# Check format, vet (native and 32-bit), staticcheck, the security rules that matter here, and the shell scripts.
set -uo pipefail
cd "$(dirname "$0")/.." || exit 1

# The rules of gosec that are worth stopping for: keys in code, TLS, weak ciphers and hashes, open permissions, HTML
# and archives from strangers. What staticcheck sees, and opinions, are left out.
rules=G101,G106,G107,G110,G112,G114,G203,G301,G302,G306,G401,G402,G403,G501,G502,G503,G505
failed=0

check() { # NAME COMMAND...
  local name=$1
  shift
  if "$@"; then
    echo "ok    $name"
  else
    echo "FAIL  $name"
    failed=$((failed + 1))
  fi
}

formatted() {
  local bad
  bad=$(git ls-files -z '*.go' | xargs -0 gofmt -l) || return 1
  [ -z "$bad" ] || { echo "not formatted: $bad"; return 1; }
}

tool() { # PACKAGE ARGUMENTS...: builds the tool at the version that lint/go.mod pins, and runs it
  local name=${1##*/}
  go -C lint build -o "../bin/$name" "$1" || return 1
  shift
  "bin/$name" "$@"
}

scripts() {
  git ls-files -z '*.sh' '.ci/run' | xargs -0 shellcheck
}

mkdir -p bin
check gofmt formatted
check vet go vet ./...
check "vet 32-bit" env CGO_ENABLED=0 GOARCH=arm GOARM=6 go vet ./...
check staticcheck tool honnef.co/go/tools/cmd/staticcheck ./...
check gosec tool github.com/securego/gosec/v2/cmd/gosec -quiet -color=false -include="$rules" ./...
if command -v shellcheck >/dev/null; then
  check shellcheck scripts
else
  echo "skip  shellcheck is not installed"
fi
[ "$failed" -eq 0 ]
