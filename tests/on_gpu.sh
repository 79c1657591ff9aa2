#!/usr/bin/env bash
# Everything that only a machine with a GPU can show, in one call, from a clone that need not be
# installed. Needs NumPy, CuPy, PyTorch, pytest, and what gpucnn itself needs; no network.
#
#     tests/on_gpu.sh [--device simulator] [--minutes 8] [FOLDER]
#
# writes report.json, report.txt and a log for each check to FOLDER (on_gpu by default), see
# tests/on_gpu.py. With --device simulator it is tried in small, without a GPU.
set -uo pipefail
root=$(cd "$(dirname "$0")/.." && pwd)
if [ ! -e "$root/gpucnn/kernels" ]; then  # where an installation has them
    ln -s ../kernels "$root/gpucnn/kernels"
    trap 'rm -f "$root/gpucnn/kernels"' EXIT
fi
export PYTHONPATH="$root${PYTHONPATH:+:$PYTHONPATH}"
"${PYTHON:-python3}" "$root/tests/on_gpu.py" "$@"
