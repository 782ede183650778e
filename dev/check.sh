#!/usr/bin/env bash
# Format, lint, strict types, import rules, generated files (make check). All of them run, whichever fails.
set -uo pipefail
cd "$(dirname "$0")/.."
dev/setup.sh || exit 1
failed=()
try() {
  local name=$1; shift
  echo "check: $name"
  "$@" || failed+=("$name")
}
try format .venv/bin/ruff format --check --quiet .
try lint .venv/bin/ruff check --quiet .
try types .venv/bin/mypy --no-error-summary
try "types of dev" env MYPYPATH=dev:. .venv/bin/mypy --no-error-summary -p nativestack
try imports .venv/bin/lint-imports
try "alert rules" .venv/bin/python -m dashboards.prometheus.generate --check
try boards .venv/bin/python -m dashboards.grafana.generate --check
if [ ${#failed[@]} -gt 0 ]; then echo "check: failed: ${failed[*]}" >&2; exit 1; fi
echo "check: all good"
