#!/bin/sh
# Make the user before files that belong to its group are unpacked. DPKG_ROOT is set when dpkg fills another root.
set -e
root=${DPKG_ROOT:-}

if ! grep -q '^edge-agent:' "$root/etc/passwd" 2>/dev/null; then
	if command -v useradd >/dev/null; then
		grep -q '^edge-agent:' "$root/etc/group" 2>/dev/null || groupadd ${root:+--prefix "$root"} --system edge-agent
		useradd ${root:+--prefix "$root"} --system --gid edge-agent --no-create-home \
			--home-dir /var/lib/edge-agent --shell /usr/sbin/nologin edge-agent
	else
		addgroup -S edge-agent 2>/dev/null || true
		adduser -S -D -H -h /var/lib/edge-agent -s /sbin/nologin -G edge-agent edge-agent
	fi
fi
