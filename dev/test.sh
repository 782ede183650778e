#!/usr/bin/env bash
# All tests (make test): the quick ones, the kernels once more without compilation, then those on real Kafka, TimescaleDB,
# Prometheus and Alertmanager, which session fixtures start on ports of their own, and in Chromium. Arguments go to every pytest run.
set -euo pipefail
cd "$(dirname "$0")/.."
dev/setup.sh
step() { printf '\n== %s\n' "$1"; }
pytest() { .venv/bin/python -m pytest -q -m "$@"; }

step "unit, property, golden and rules"
pytest "not integration and not evaluation" "$@"
if [ -d tests/unit/kernels ]; then
  step "kernels without compilation, where coverage and a debugger can see"
  NUMBA_DISABLE_JIT=1 pytest "not integration" tests/unit/kernels "$@"
fi
step "the native stack, and a browser"
dev/stack setup
dev/browser.sh || echo "the tests of the console's pages will fail for want of a browser; all others run" >&2
step "integration and chaos"
pytest integration "$@"
