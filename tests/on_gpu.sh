#!/usr/bin/env bash
# Everything that only a machine with a GPU can show, in one call, from a clone that need not be
# installed: what the operations compute, races and stray accesses, two devices held against each
# other, whole trainings, and timings beside PyTorch. Needs NumPy, CuPy, PyTorch, pytest, and what
# gpucnn itself needs; no network.
#
#     tests/on_gpu.sh [FOLDER]
#
# writes a log for each check to FOLDER (on_gpu by default), and last which of them failed.
set -uo pipefail
cd "$(dirname "$0")/.."
out=${1:-on_gpu}
mkdir -p "$out"
if [ ! -e gpucnn/kernels ]; then  # where an installation has them
    ln -s ../kernels gpucnn/kernels
    trap 'rm gpucnn/kernels' EXIT
fi
export PYTHONPATH="$PWD${PYTHONPATH:+:$PYTHONPATH}"
failed=()

check() {  # NAME SECONDS COMMAND...: one check, logged, within a time
    local name=$1 limit=$2 began=$SECONDS
    shift 2
    timeout "$limit" "$@" > "$out/$name.log" 2>&1
    echo "$? $((SECONDS - began))" > "$out/$name.rc"
}

cat > "$out/short_training.py" <<'PYTHON'
import cupy

import gpucnn
from gpucnn import models

cupy.cuda.set_allocator(None)  # every array by itself, so that what lies beyond it is not another's
(x, y), _ = gpucnn.load_mnist()
for preset in (models.notebook, models.lenet):
    model = preset(device="cuda")
    model.fit(x[:96], y[:96], batch_size=64, validation_data=(x[:40], y[:40]))
PYTHON

# What is right, all at once.
check devices 60 python3 -m gpucnn devices
check contract 240 python3 -m pytest -q -n 6 -p no:cacheprovider -p no:benchmark \
    tests/backends/test_contract.py -k "cuda and not simulator" &
check verify_notebook 200 python3 -m gpucnn verify cpu cuda --steps 20 &
check verify_lenet 200 python3 -m gpucnn verify cpu cuda --model lenet --steps 5 &
check verify_float64 200 python3 -m gpucnn verify cpu cuda --dtype float64 --steps 10 &
for tool in memcheck racecheck initcheck synccheck; do
    check "$tool" 200 compute-sanitizer --tool "$tool" --error-exitcode 9 \
        python3 "$out/short_training.py" &
done
wait

# What takes how long, one after the other.
check timing 90 python3 tests/on_gpu_timing.py
for run in 1 2; do
    check "notebook_$run" 60 python3 -m gpucnn train --device cuda --output "$out/run_$run"
done
check same_bytes 5 cmp "$out"/run_{1,2}/checkpoint.safetensors
check lenet 90 python3 -m gpucnn train --device cuda --model lenet --output "$out/run_lenet"
check ncu 60 ncu --launch-skip 80 --launch-count 60 --csv python3 "$out/short_training.py"

for rc in "$out"/*.rc; do
    name=$(basename "$rc" .rc)
    read -r status seconds < "$rc"
    printf '%-16s exit %-4s %4s s\n' "$name" "$status" "$seconds"
    [ "$status" = 0 ] || failed+=("$name")
done
for name in "${failed[@]}"; do
    printf '\n--- %s\n' "$name"
    tail -n 25 "$out/$name.log"
done
printf '\n'
cat "$out"/timing.log
tail -n 3 "$out"/{notebook_1,lenet}.log
[ ${#failed[@]} = 0 ]
