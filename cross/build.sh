#!/usr/bin/env bash
# Build edge-agent for every target of targets.txt into dist/: static, stripped, reproducible, without C.
set -euo pipefail
cd "$(dirname "$0")/.." || exit 1

version=${VERSION:-0.0.0}
commit=${COMMIT:-$(git rev-parse --short HEAD 2>/dev/null || true)}
limit=$((20 * 1024 * 1024)) # bytes; the promise for every binary

mkdir -p dist
grep -v '^#' cross/targets.txt | while read -r name arch arm _; do
  [ "$arm" = - ] && arm=
  out=dist/edge-agent-linux-$name
  CGO_ENABLED=0 GOOS=linux GOARCH=$arch GOARM=$arm go build -trimpath -buildvcs=false \
    -ldflags "-s -w -X main.version=$version -X main.commit=$commit" -o "$out" ./cmd/edge-agent </dev/null
  size=$(stat -c %s "$out")
  printf '%-32s %5.1f MB\n' "$out" "$(echo "$size" | awk '{print $1 / 1e6}')"
  if [ "$size" -gt "$limit" ]; then
    echo "$out is larger than 20 MiB" >&2
    exit 1
  fi
done
