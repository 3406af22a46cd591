#!/usr/bin/env bash
# Run the tests of the portable packages as ARM programs under qemu's user emulation.
#
# Emulation shows that the code is right on these processors (alignment, 32-bit numbers, bbolt's file), not how fast.
# Needs qemu-arm-static and qemu-aarch64-static (Debian: qemu-user-static).
set -uo pipefail
cd "$(dirname "$0")/.." || exit 1

lost=0

for tool in qemu-arm-static qemu-aarch64-static; do
  command -v "$tool" >/dev/null || { echo "cross/test.sh: no $tool; install qemu-user-static" >&2; exit 1; }
done
mkdir -p bin
go build -o bin/tally ./test/tally || exit 1

# CI_EMULATOR tells tests that start their own program again how to, and that time means nothing here.
emulate() { # NAME EMULATOR GOARCH GOARM PACKAGE...
  local name=$1 emulator=$2
  export CGO_ENABLED=0 GOOS=linux GOARCH=$3 GOARM=$4 CI_EMULATOR=$2
  shift 4
  echo "== $name"
  bin/tally -- -exec "$emulator" -p 2 -timeout 20m "$@" || lost=$((lost + 1))
}

all=(./capability ./mesh ./order ./agent/dispatch ./persist)
emulate armv6 qemu-arm-static arm 6 "${all[@]}"
emulate arm64 qemu-aarch64-static arm64 "" "${all[@]}"
# ARMv7 differs from ARMv6 in its atomics.
emulate armv7 qemu-arm-static arm 7 ./mesh ./agent/dispatch

echo "cross: $((3 - lost)) of 3 platforms passed"
[ "$lost" -eq 0 ]
