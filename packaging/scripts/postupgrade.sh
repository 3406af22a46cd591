#!/bin/sh
# apk, after an upgrade: a running agent goes on with the new program.
set -e
if command -v rc-service >/dev/null; then
	rc-service --ifstarted edge-agent restart || true
fi
