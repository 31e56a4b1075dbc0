#!/bin/sh
# The published sizes on a GPU, beside PyTorch; bench/README.md says what it measures and what has to be there.
#   sh bench/gpu.sh --device cuda              on a machine with a GPU and a whole checkout: everything
#   sh bench/gpu.sh --small --device cpu       the same on a narrow network and the processor: does it run?
# For a borrowed machine with one GPU and no network:
#   sh bench/gpu.sh --plan [--json]            at home: the calls to make there, what each carries and takes
#   sh bench/gpu.sh prepare [--wheel FILE]     at home: gathers what has to be carried in .cache/gpu/bench
#   sh bench/gpu.sh take FOLDER                there: checks the part that a call carried and puts it aside
#   sh bench/gpu.sh there OUT STAGE...         there: unpacks the parts, runs stages, leaves the results in OUT
set -eu
cd "$(CDPATH='' cd -- "$(dirname -- "$0")" && pwd)/.."
there=${RETOUCH_GPU_FOLDER:-/tmp/retouch-gpu}
export ORT_DISABLE_TELEMETRY=1

case "${1-}" in
  prepare)
    shift
    exec node scripts/run-ts.mjs bench/gpu/prepare.ts gather "$@"
    ;;
  take)
    exec python3 bench/gpu/cargo.py take "$2" "$there"
    ;;
  there)
    out=$2
    shift 2
    python3 bench/gpu/cargo.py open "$there"
    LD_LIBRARY_PATH=$(python3 bench/gpu/cargo.py libraries)${LD_LIBRARY_PATH:+:$LD_LIBRARY_PATH}
    PYTHONPATH=$there/site:$PWD
    export LD_LIBRARY_PATH PYTHONPATH
    code=0
    "$there/cargo/bin/node" "$there/cargo/bundle/run.mjs" --repository "$PWD" --device cuda --python python3 \
      --checkpoint "$there/cargo/checkpoint" --picture "$there/cargo/picture.png" --folder "$there/work" "$@" || code=$?
    # What was found before a stage failed comes home as well.
    python3 bench/gpu/cargo.py results "$there/work/results" "$out"
    exit "$code"
    ;;
  *)
    for argument in "$@"; do
      if [ "$argument" = --plan ]; then exec node scripts/python.mjs bench/gpu/plan.py "$@"; fi
    done
    exec node scripts/run-ts.mjs bench/gpu/prepare.ts here "$@"
    ;;
esac
