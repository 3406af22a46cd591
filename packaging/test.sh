#!/usr/bin/env bash
# Look into the packages of dist/ and install them into roots of their own: what is inside, that an upgrade keeps an
# edited configuration, that removal keeps state and purge does not. Needs root, dpkg and rpm.
set -uo pipefail
cd "$(dirname "$0")/.." || exit 1

version=${VERSION:-$(sed -n 's/^VERSION ?= //p' Makefile)}
work=$(mktemp -d)
trap 'rm -rf "$work"' EXIT
passed=0
failed=0

ok() { # WHAT COMMAND...
  local what=$1
  shift
  if "$@" >"$work/out" 2>&1; then
    passed=$((passed + 1))
    echo "ok    $what"
  else
    failed=$((failed + 1))
    echo "FAIL  $what"
    sed 's/^/      /' "$work/out"
  fi
}

not() { ! "$@"; }

machine() { # FILE: the processor an ELF file is for, as a number
  od -An -j18 -N2 -tu2 "$1" | tr -d ' '
}

machine_is() { # FILE NAME
  case $2 in
    amd64) [ "$(machine "$1")" = 62 ] ;;
    arm64) [ "$(machine "$1")" = 183 ] ;;
    armv*) [ "$(machine "$1")" = 40 ] ;;
    riscv64) [ "$(machine "$1")" = 243 ] ;;
  esac
}

deb_says() { # FILE ARCHITECTURE
  [ "$(dpkg-deb -f "$1" Architecture)" = "$2" ] &&
    dpkg-deb --ctrl-tarfile "$1" | tar -xO ./conffiles | grep -x /etc/edge-agent/config.yaml >/dev/null
}

rpm_says() { # FILE ARCHITECTURE
  [ "$(rpm -qp --queryformat '%{ARCH}' "$1")" = "$2" ] &&
    rpm -qp --configfiles "$1" | grep -x /etc/edge-agent/config.yaml >/dev/null
}

apk_says() { # FILE ARCHITECTURE
  tar -xzOf "$1" .PKGINFO 2>/dev/null | grep -x "arch = $2" >/dev/null &&
    tar -tzf "$1" 2>/dev/null | grep -x etc/init.d/edge-agent >/dev/null
}

inspect() { # NAME DEB-ARCH RPM-ARCH APK-ARCH
  local name=$1 suffix=$2
  [ "$name" = armv6 ] && suffix=armhf-armv6
  local deb=dist/edge-agent_$version-1_$suffix.deb root=$work/look-$name
  ok "$name deb: architecture and configuration" deb_says "$deb" "$2"
  ok "$name deb: unpacks" dpkg-deb -x "$deb" "$root"
  ok "$name deb: the program is for this processor" machine_is "$root/usr/bin/edge-agent" "$name"
  ok "$name deb: the program is the one that was built" cmp "$root/usr/bin/edge-agent" "dist/edge-agent-linux-$name"
  ok "$name rpm: architecture and configuration" rpm_says "dist/edge-agent-$version-1.$3.rpm" "$3"
  ok "$name apk: architecture and service" apk_says "dist/edge-agent-$version-r1.$4.apk" "$4"
  rm -rf "$root"
}

# next makes the packages of a later version of this machine's processor, to upgrade to.
next() { # DEB-OR-RPM ARCHITECTURE FILE
  VERSION=$version.1 PKG_ARCH=$2 PKG_BINARY=$binary \
    bin/nfpm package --config packaging/nfpm.yaml --packager "$1" --target "$3"
}

prepare() { # ROOT: as little as a package manager wants to see
  mkdir -p "$1"/{etc,var/lib/dpkg/{info,updates,triggers},var/log}
  touch "$1"/var/lib/dpkg/{status,available}
  printf 'root:x:0:0:root:/root:/bin/sh\n' >"$1/etc/passwd"
  printf 'root:x:0:\nvideo:x:44:\n' >"$1/etc/group"
  printf 'root:*:19000:0:99999:7:::\n' >"$1/etc/shadow"
  printf 'root:*::\nvideo:!::\n' >"$1/etc/gshadow"
}

in_root() { # ROOT DPKG-ARGUMENTS...
  local root=$1
  shift
  dpkg --root="$root" --force-script-chrootless --force-depends --force-confold --force-architecture "$@"
}

mode_is() { [ "$(stat -c %a "$1")" = "$2" ]; }
has() { grep -q "$1" "$2"; }

owned() { # ROOT: the state belongs to the user of the service, the configuration is readable by its group alone
  local id
  id=$(sed -n 's/^edge-agent:[^:]*:\([0-9]*\):.*/\1/p' "$1/etc/passwd")
  [ -n "$id" ] && [ "$(stat -c %u "$1/var/lib/edge-agent")" = "$id" ]
}

install_deb() { # DEB NEXT
  local root=$work/deb
  prepare "$root"
  ok "deb: installs" in_root "$root" -i "$1"
  ok "deb: makes the user" has '^edge-agent:' "$root/etc/passwd"
  ok "deb: puts the user into the group of the cards" has '^video:.*edge-agent' "$root/etc/group"
  ok "deb: state belongs to the user" owned "$root"
  ok "deb: state is closed to others" mode_is "$root/var/lib/edge-agent" 700
  ok "deb: configuration is closed to others" mode_is "$root/etc/edge-agent/config.yaml" 640
  echo '# edited' >>"$root/etc/edge-agent/config.yaml"
  echo kept >"$root/var/lib/edge-agent/state.db"
  ok "deb: upgrades" in_root "$root" -i "$2"
  ok "deb: the upgrade came" has "$version.1" "$root/var/lib/dpkg/status"
  ok "deb: the upgrade keeps an edited configuration" has '# edited' "$root/etc/edge-agent/config.yaml"
  ok "deb: the upgrade keeps the mode of the configuration" mode_is "$root/etc/edge-agent/config.yaml" 640
  ok "deb: the upgrade keeps the state" has kept "$root/var/lib/edge-agent/state.db"
  ok "deb: is removed" in_root "$root" -r edge-agent
  ok "deb: removal takes the program" not test -e "$root/usr/bin/edge-agent"
  ok "deb: removal keeps the state" has kept "$root/var/lib/edge-agent/state.db"
  ok "deb: removal keeps the configuration" has '# edited' "$root/etc/edge-agent/config.yaml"
  ok "deb: is purged" in_root "$root" -P edge-agent
  ok "deb: purge takes the state" not test -e "$root/var/lib/edge-agent"
  ok "deb: purge takes the configuration" not test -e "$root/etc/edge-agent"
}

install_rpm() { # RPM NEXT
  local root=$work/rpm
  mkdir -p "$root"
  # Scripts would run inside this empty root, where there is no shell; the deb has run the same ones.
  local rpm=(rpm --root "$root" --nodeps --noscripts)
  ok "rpm: installs" "${rpm[@]}" --ignorearch --nosignature -i "$1"
  ok "rpm: brings the service" test -f "$root/usr/lib/systemd/system/edge-agent.service"
  echo '# edited' >>"$root/etc/edge-agent/config.yaml"
  ok "rpm: upgrades" "${rpm[@]}" --ignorearch --nosignature -U "$2"
  ok "rpm: the upgrade keeps an edited configuration" has '# edited' "$root/etc/edge-agent/config.yaml"
  ok "rpm: is removed" "${rpm[@]}" -e edge-agent
  ok "rpm: removal takes the program" not test -e "$root/usr/bin/edge-agent"
  ok "rpm: removal keeps an edited configuration" has '# edited' "$root/etc/edge-agent/config.yaml.rpmsave"
}

# unit_is_valid checks a copy whose program exists here, in a root with nothing else to complain about.
unit_is_valid() {
  local unit=$work/edge-agent.service
  sed 's|/usr/bin/edge-agent|/bin/true|; s/^User=.*/User=root/; s/^Group=.*/Group=root/' \
    packaging/edge-agent.service >"$unit"
  systemd-analyze verify --man=no "$unit" 2>&1 | tee "$work/verify"
  not grep -q "$(basename "$unit").*\(Unknown\|Failed\|invalid\|ignoring\)" "$work/verify"
}

unit_is_hardened() {
  local score
  score=$(systemd-analyze security --offline=true packaging/edge-agent.service |
    sed -n 's/.*exposure level.*: \([0-9.]*\).*/\1/p')
  echo "exposure $score"
  [ -n "$score" ] && awk -v s="$score" 'BEGIN { exit !(s <= 2.0) }'
}

while read -r name _ _ deb rpm apk; do
  inspect "$name" "$deb" "$rpm" "$apk"
done < <(grep -v '^#' cross/targets.txt)

case $(uname -m) in
  aarch64) here=arm64 deb=arm64 rpm=aarch64 ;;
  *) here=amd64 deb=amd64 rpm=x86_64 ;;
esac
binary=dist/edge-agent-linux-$here
ok "a later deb is made" next deb "$deb" "$work/next.deb"
ok "a later rpm is made" next rpm "$rpm" "$work/next.rpm"
install_deb "dist/edge-agent_$version-1_$deb.deb" "$work/next.deb"
install_rpm "dist/edge-agent-$version-1.$rpm.rpm" "$work/next.rpm"

if command -v systemd-analyze >/dev/null; then
  ok "service: is valid" unit_is_valid
  ok "service: is hardened" unit_is_hardened
else
  echo "skip  service: no systemd-analyze here"
fi

echo "packaging: $passed passed, $failed failed"
[ "$failed" -eq 0 ]
