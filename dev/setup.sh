#!/usr/bin/env bash
# Makes .venv with the pinned dependencies and the thecaflow command in it (make setup). Run again it returns at once.
#   dev/setup.sh [dev|bench]     which requirements-*.txt (default dev)
#   PYTHON=...                   the interpreter to use (3.11 to 3.13)
set -euo pipefail
cd "$(dirname "$0")/.."
lock=requirements-${1:-dev}.txt
[ -r "$lock" ] || { echo "setup: no $lock: dev or bench" >&2; exit 2; }
say() { echo "setup: $*"; }
die() { echo "setup: $*" >&2; exit 1; }

fits() { "$1" -c 'import sys; sys.exit(not (3, 11) <= sys.version_info[:2] <= (3, 13))' 2>/dev/null; }
find_python() {
  local candidate
  for candidate in ${PYTHON:-} python3 python3.13 python3.12 python3.11; do
    if fits "$candidate"; then "$candidate" -c 'import sys; print(sys.executable)'; return; fi
  done
  return 1
}
# A venv needs ensurepip, which Debian keeps in a package of its own.
can_venv() { command -v uv >/dev/null || "$1" -c 'import ensurepip, venv' 2>/dev/null; }

usable() { python=$(find_python) && can_venv "$python"; }

if ! usable; then
  # Debian 12 and 13 and Ubuntu 24.04 have a fitting python3; others may have one beside theirs.
  wanted=(python3-venv python3.13-venv python3.12-venv python3.11-venv)
  if [ "$(id -u)" = 0 ] && command -v apt-get >/dev/null; then
    apt-get -qq update
    for package in "${wanted[@]}"; do
      say "installing $package"
      DEBIAN_FRONTEND=noninteractive apt-get -qq install -y --no-install-recommends "$package" >/dev/null 2>&1 || true
      if usable; then break; fi
    done
  fi
  usable || die "needs Python 3.11, 3.12 or 3.13 with venv. Have root install one of: ${wanted[*]} (or install uv, or set PYTHON)"
fi

# The stamp holds all that .venv depends on: the pins, the project's own table, the interpreter and the folder it is in.
stamp=$(cat "$lock" pyproject.toml <(echo "$python $("$python" -V) $PWD") | sha256sum)
[ "$(cat ".venv/.ready-${1:-dev}" 2>/dev/null)" != "$stamp" ] || exit 0

# Two make targets at once: the second waits, and finds the work done.
exec 9>.setup.lock
flock -n 9 || { say "waiting for another set-up"; flock 9; }
[ "$(cat ".venv/.ready-${1:-dev}" 2>/dev/null)" != "$stamp" ] || exit 0

began=$SECONDS
if [ ! -x .venv/bin/python ] || [ "$(cat .venv/.python 2>/dev/null)" != "$python $PWD" ]; then
  rm -rf .venv
  say "making .venv with $("$python" -V)"
  if command -v uv >/dev/null; then uv venv -q --python "$python" .venv; else "$python" -m venv .venv; fi
  echo "$python $PWD" >.venv/.python
fi
say "installing $(grep -c '==' "$lock") packages of $lock (about a minute with empty caches)"
if command -v uv >/dev/null; then
  uv pip install -q --python .venv/bin/python --require-hashes -r "$lock"
  uv pip install -q --python .venv/bin/python --no-deps --no-build-isolation -e .
else
  .venv/bin/python -m pip install -q --disable-pip-version-check --require-hashes -r "$lock"
  .venv/bin/python -m pip install -q --disable-pip-version-check --no-deps --no-build-isolation -e .
fi
echo "$stamp" >".venv/.ready-${1:-dev}"
say "ready after $((SECONDS - began)) s: .venv/bin/thecaflow"
