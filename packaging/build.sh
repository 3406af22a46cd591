#!/usr/bin/env bash
# Make deb, rpm and apk packages of the binaries that cross/build.sh left in dist/. One commit, the same bytes.
set -euo pipefail
cd "$(dirname "$0")/.."

export VERSION=${VERSION:-0.0.0}
SOURCE_DATE_EPOCH=${SOURCE_DATE_EPOCH:-$(git log -1 --format=%ct 2>/dev/null || echo 1700000000)}
export SOURCE_DATE_EPOCH

mkdir -p bin dist
go -C packaging build -o ../bin/nfpm github.com/goreleaser/nfpm/v2/cmd/nfpm

package() { # FORMAT ARCHITECTURE FILE
  PKG_ARCH=$2 bin/nfpm package --config packaging/nfpm.yaml --packager "$1" --target "dist/$3" >/dev/null
  printf '%-44s %5.1f MB\n' "dist/$3" "$(stat -c %s "dist/$3" | awk '{print $1 / 1e6}')"
}

grep -v '^#' cross/targets.txt | while read -r name _ _ deb rpm apk; do
  export PKG_BINARY=dist/edge-agent-linux-$name
  # Debian knows one hard-float ARM; the package for ARMv6 (Raspberry Pi Zero and 1) is told apart by its file name.
  suffix=$deb
  [ "$name" = armv6 ] && suffix=armhf-armv6
  package deb "$deb" "edge-agent_$VERSION-1_$suffix.deb"
  package rpm "$rpm" "edge-agent-$VERSION-1.$rpm.rpm"
  package apk "$apk" "edge-agent-$VERSION-r1.$apk.apk"
done
