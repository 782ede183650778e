#!/usr/bin/env bash
# Grades detection on simulated fleets, normal and strained, against the product's bars (make evaluate).
# About a quarter of an hour on two idle cores.
# The fleets come from the hash of the HEAD commit, so nobody can choose them. Called again after an interruption it goes on.
#   SEED=...   other fleets     SHARE=0.1   smaller ones     other arguments go to python -m thecaflow.evaluation
set -euo pipefail
cd "$(dirname "$0")/.."
dev/setup.sh
head=$(git rev-parse HEAD)
seed=${SEED:-$((16#${head:0:12}))}
# What is not committed yet is part of what is graded, so its scores are kept apart.
changes=$(git diff HEAD -- contract kernels processors ingest thecaflow | sha256sum | cut -c1-8)
echo "evaluate: commit ${head:0:12}, changes $changes"
exec .venv/bin/python -m thecaflow.evaluation --seed "$seed" --share "${SHARE:-1}" \
  --folder "build/evaluation/${head:0:12}-$changes-${SHARE:-1}" "$@"
