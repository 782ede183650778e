#!/usr/bin/env bash
# All tests (make test): the quick ones, the kernels once more without compilation, then those on real Kafka and
# TimescaleDB, which a session fixture starts on ports of its own. Arguments go to every pytest run.
set -euo pipefail
cd "$(dirname "$0")/.."
dev/setup.sh
step() { printf '\n== %s\n' "$1"; }
pytest() { .venv/bin/python -m pytest -q -m "$@"; }

step "unit, property, golden and rules"
pytest "not integration" "$@"
if [ -d tests/unit/kernels ]; then
  step "kernels without compilation, where coverage and a debugger can see"
  NUMBA_DISABLE_JIT=1 pytest "not integration" tests/unit/kernels "$@"
fi
step "the native stack"
dev/stack setup
step "integration and chaos"
pytest integration "$@"
