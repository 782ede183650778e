#!/usr/bin/env bash
# The demonstration (make demo). On a fresh machine the servers' programs are fetched while the Python packages install.
set -euo pipefail
cd "$(dirname "$0")/.."
fetching=
if python3 -c 'import sys; sys.exit(sys.version_info < (3, 11))' 2>/dev/null; then
  dev/stack setup & fetching=$!
  trap 'kill "$fetching" 2>/dev/null || true' EXIT
fi
dev/setup.sh
if [ -n "$fetching" ]; then wait "$fetching"; trap - EXIT; fi
exec .venv/bin/thecaflow demo "$@"
