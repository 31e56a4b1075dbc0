#!/bin/sh
# The GPU benchmark on a borrowed machine with one GPU and no network; README.md beside this file has the order.
#   sh scripts/remote-gpu/bench.sh take FOLDER        checks the part that a call carried and puts it aside
#   sh scripts/remote-gpu/bench.sh run OUT STAGE...   unpacks the parts, runs stages, leaves the results in OUT
# RETOUCH_GPU_FOLDER is where parts and results are kept meanwhile; a rehearsal says in RETOUCH_GPU_OPTIONS what is
# different there, such as "--device webgpu --small".
set -eu
cd "$(CDPATH='' cd -- "$(dirname -- "$0")" && pwd)/../.."
there=${RETOUCH_GPU_FOLDER:-/tmp/retouch-gpu}
bundle=scripts/remote-gpu/bundle.py
export ORT_DISABLE_TELEMETRY=1

case "${1-}" in
  take)
    exec python3 "$bundle" take "$2" "$there"
    ;;
  run)
    out=$2
    shift 2
    python3 "$bundle" open "$there"
    LD_LIBRARY_PATH=$(python3 "$bundle" libraries)${LD_LIBRARY_PATH:+:$LD_LIBRARY_PATH}
    PYTHONPATH=$there/site:$PWD
    export LD_LIBRARY_PATH PYTHONPATH
    code=0
    "$there/bundle/bin/node" "$there/bundle/programs/run.mjs" --repository "$PWD" --device cuda --python python3 \
      --checkpoint "$there/bundle/checkpoint" --picture "$there/bundle/picture.png" \
      --step-process "$there/bundle/programs/step-process.mjs" --folder "$there/work" ${RETOUCH_GPU_OPTIONS-} "$@" || code=$?
    # What was found before a stage failed comes home as well.
    python3 "$bundle" results "$there/work/results" "$out"
    exit "$code"
    ;;
  *)
    echo "Usage: sh scripts/remote-gpu/bench.sh take FOLDER | run OUT STAGE..." >&2
    exit 2
    ;;
esac
