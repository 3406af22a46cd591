#!/bin/sh
# deb calls this with remove or upgrade, rpm with 0 (last) or 1, apk with the version. Only a removal stops the agent.
set -e
case "$1" in
upgrade | 1 | deconfigure | failed-upgrade) exit 0 ;;
esac
[ -z "${DPKG_ROOT:-}" ] || exit 0
if [ -d /run/systemd/system ]; then
	systemctl disable --now edge-agent.service || true
elif command -v rc-service >/dev/null; then
	rc-service --ifstarted edge-agent stop || true
fi
