#!/usr/bin/env bash
# One command, any number of GPUs, under ten minutes: benchmarks/node/run.sh [OUT_DIR] [--parts abcd] [--smoke --gpus N]
# Checks itself: ends with 1 when a claim does not hold. OUT_DIR gets node.json and node.txt (default: benchmarks/node).
# PYTHON names the interpreter (default: .venv/bin/python, else python3).
set -euo pipefail
root=$(cd "$(dirname "$0")/../.." && pwd)
export PYTHONPATH=$root${PYTHONPATH:+:$PYTHONPATH}
python=${PYTHON:-$root/.venv/bin/python}
command -v "$python" >/dev/null || python=python3
exec "$python" -m benchmarks.node.node "$@"
