"""The release candidate of Runpod's Python client: its queues and their jobs, plain and awaited. Prints what came, as JSON."""

import asyncio
import json
import sys

import runpod

base_url, endpoint_id, key, image = sys.argv[1:5]
runpod.endpoint_url_base = base_url
runpod.api_key = key
edit = {"prompt": "Make it night", "image": image, "size": "256*256", "num_inference_steps": 4}
queue = runpod.Queue(app="retouch", id=endpoint_id)


def failure(call):
    try:
        call()
    except Exception as error:
        return f"{type(error).__name__}: {error}"


def plain():
    seen = {"version": runpod.__version__, "remote": queue.remote(**edit)}
    seen["stream"] = list(queue.stream(**{**edit, "num_inference_steps": 50}))
    job = queue.with_options(execution_timeout=60000, low_priority=True).spawn(**edit)
    seen["result"] = job.result()
    seen["status"] = job.status()
    seen["same"] = queue.job(job.id).result()
    long = queue.spawn(**{**edit, "num_inference_steps": 50, "size": "1024*1024", "num_images": 8})
    seen["cancelled"] = long.cancel().status()
    seen["failed"] = failure(lambda: queue.remote(**{**edit, "image": "data:image/png;base64,AAAA"}))
    seen["refused"] = failure(lambda: queue.remote(prompt="Make it night"))
    seen["unknown"] = failure(lambda: runpod.Queue(app="retouch", name="nowhere").remote(**edit))
    return seen


async def awaited():
    job = await queue.spawn.aio(**edit)
    first = await job.result.aio()
    return [first, await queue.remote.aio(**edit)]


seen = plain()
seen["awaited"] = asyncio.run(awaited())
json.dump(seen, sys.stdout)
