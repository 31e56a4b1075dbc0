"""The published Python client, as it is imported and called by its users. Prints what it got, as JSON."""

import json
import os
import sys

import runpod

base_url, endpoint_id, key, image = sys.argv[1:5]
runpod.endpoint_url_base = base_url
runpod.api_key = key
endpoint = runpod.Endpoint(endpoint_id)


def edit(**more):
    return {"prompt": "Make it night", "image": image, "size": "256*256", "num_inference_steps": 4, **more}


seen = {"version": runpod.__version__}
seen["run_sync"] = endpoint.run_sync(edit(), timeout=60)

job = endpoint.run({"input": edit(num_inference_steps=50), "policy": {"executionTimeout": 60000}})
seen["first_status"] = job.status()
seen["stream"] = list(job.stream())
seen["output"] = job.output(timeout=60)
seen["last_status"] = job.status()

running = endpoint.run(edit(num_inference_steps=50, size="1024*1024"))
waiting = endpoint.run(edit())
seen["cancel"] = waiting.cancel(timeout=3)
queued = endpoint.run(edit())
seen["purge"] = endpoint.purge_queue(timeout=3)
seen["health"] = endpoint.health(timeout=3)
running.output(timeout=60)

seen["failed_output"] = endpoint.run_sync(edit(image="data:image/png;base64,AAAA"), timeout=60)
try:
    runpod.Endpoint(endpoint_id, api_key="wrong-key-of-sixteen").health()
except RuntimeError as error:
    seen["wrong_key"] = str(error)
json.dump(seen, sys.stdout)
sys.stdout.flush()
os._exit(0)
