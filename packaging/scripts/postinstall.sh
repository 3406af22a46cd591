#!/bin/sh
# deb calls this with "configure OLD-VERSION", rpm with 1 (first) or 2 (upgrade), apk with the version, the first time.
set -e
root=${DPKG_ROOT:-}

# Card devices belong to these groups; who has none of them needs none.
for group in video render; do
	if grep -q "^$group:" "$root/etc/group" 2>/dev/null && command -v usermod >/dev/null; then
		usermod ${root:+--prefix "$root"} -a -G "$group" edge-agent || true
	fi
done

# Numbers, since the names may be of another root.
owner=$(sed -n 's/^edge-agent:[^:]*:\([0-9]*\):\([0-9]*\):.*/\1:\2/p' "$root/etc/passwd")
if [ ! -d "$root/var/lib/edge-agent" ]; then
	mkdir -p "$root/var/lib/edge-agent"
	chmod 0700 "$root/var/lib/edge-agent"
	chown "$owner" "$root/var/lib/edge-agent"
fi

if [ -z "$root" ] && [ -d /run/systemd/system ]; then
	systemctl daemon-reload || true
	if [ "$1" = 2 ] || { [ "$1" = configure ] && [ -n "$2" ]; }; then
		systemctl try-restart edge-agent.service || true
		exit 0
	fi
fi
if [ "$1" != 2 ] && [ -z "$2" ]; then
	echo "edge-agent: name your broker in /etc/edge-agent/config.yaml, then enable and start the service edge-agent."
fi
