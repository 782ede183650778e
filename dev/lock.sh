#!/usr/bin/env bash
# Pins every dependency with its hashes into requirements*.txt, for all supported Pythons at once (make lock).
# Records no index: the files are the same whichever mirror they were made with.
set -euo pipefail
cd "$(dirname "$0")/.."
cache=${XDG_CACHE_HOME:-$HOME/.cache}/thecaflow/lock
if command -v uv >/dev/null; then uv=uv; else
  uv=$cache/bin/uv
  [ -x "$uv" ] || { echo "lock: fetching uv"; "${PYTHON:-python3}" -m venv "$cache" && "$cache/bin/pip" install -q uv; }
fi
pin() {  # OUTPUT EXTRA..: a larger set starts from the smaller one's pins, so that the files agree
  local out=$1; shift
  echo "lock: $out"
  "$uv" pip compile -q pyproject.toml --universal --python-version 3.11 --generate-hashes --no-emit-index-url \
    --no-emit-find-links --no-annotate --no-header "$@" -o "$out"
}
pin requirements.txt
pin requirements-dev.txt --constraint requirements.txt --extra dev
pin requirements-bench.txt --constraint requirements-dev.txt --extra dev --extra bench
