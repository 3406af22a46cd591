#!/bin/sh
# The state outlives a removal. Only dpkg's purge takes it away, and the configuration with it.
set -e
root=${DPKG_ROOT:-}
if [ "$1" = purge ]; then
	rm -rf "$root/var/lib/edge-agent" "$root/etc/edge-agent"
fi
if [ -z "$root" ] && [ -d /run/systemd/system ]; then
	systemctl daemon-reload || true
fi
