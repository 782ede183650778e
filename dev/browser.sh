#!/usr/bin/env bash
# Finds the Chromium that the console's tests drive. As root on Debian or Ubuntu it installs the system's one where
# there is none; anywhere else it says what to install. CHROMIUM names another program.
set -euo pipefail

if [ -n "${CHROMIUM:-}" ]; then
  [ -x "$CHROMIUM" ] || { echo "CHROMIUM=$CHROMIUM is no program; unset it, or name the browser's" >&2; exit 1; }
  exit 0
fi
for name in chromium chromium-browser google-chrome google-chrome-stable; do
  if command -v "$name" >/dev/null; then exit 0; fi
done
if [ "$(id -u)" = 0 ] && command -v apt-get >/dev/null; then
  echo "installing the system's Chromium, once, for the tests of the console's pages" >&2
  log=$(mktemp)
  if { apt-get update && DEBIAN_FRONTEND=noninteractive apt-get install -y --no-install-recommends chromium; } >"$log" 2>&1; then
    rm -f "$log"
    exit 0
  fi
  cat "$log" >&2
fi
echo "no Chromium: install it (Debian, Ubuntu: sudo apt-get install chromium), or set CHROMIUM to its program" >&2
exit 1
