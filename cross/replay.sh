#!/usr/bin/env bash
# Replay every recorded machine as a 64-bit and as a 32-bit ARM program and compare what they tell, tag by tag.
#
# Needs qemu-arm-static, and the recordings: EDGE_AGENT_FIXTURES, else ../shared/fixtures.
set -euo pipefail
cd "$(dirname "$0")/.." || exit 1

fixtures=${EDGE_AGENT_FIXTURES:-../shared/fixtures}
[ -d "$fixtures" ] || { echo "cross/replay.sh: no recorded machines at $fixtures"; exit 0; }
EDGE_AGENT_FIXTURES=$(realpath "$fixtures")
export EDGE_AGENT_FIXTURES
if ! command -v qemu-arm-static >/dev/null; then
  echo "cross/replay.sh: no qemu-arm-static; install qemu-user-static" >&2
  exit 1
fi

mkdir -p bin
out=$PWD/bin
only=(-count=1 -run 'TestEveryRecordedMachineIsReplayed$' ./probe)
CGO_ENABLED=0 EDGE_AGENT_REPLAY=$out/replay.here go test "${only[@]}"
CGO_ENABLED=0 GOARCH=arm GOARM=7 EDGE_AGENT_REPLAY=$out/replay.arm go test -exec qemu-arm-static "${only[@]}"
lines=$(wc -l <"$out/replay.here")
[ "$lines" -gt 0 ] || { echo "cross/replay.sh: nothing was told" >&2; exit 1; }
diff "$out/replay.here" "$out/replay.arm" || { echo "cross/replay.sh: the processors disagree" >&2; exit 1; }
echo "$lines tags of recorded machines are the same on both"
