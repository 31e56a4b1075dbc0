"""The published Python clients with several images and with none, as their users call them. Prints what they got, as JSON."""

import asyncio
import json
import os
import sys

import runpod

base_url, endpoint_id, key, *images = sys.argv[1:]
runpod.endpoint_url_base = base_url
runpod.api_key = key

from runpod import AsyncioEndpoint, http_client  # noqa: E402  reads both of the above when it is imported


def edit(**more):
    return {"prompt": "Put the bird on the hill", "size": "256*256", "seed": 1, **more}


async def see_asyncio():
    async with http_client.AsyncClientSession() as session:
        endpoint = AsyncioEndpoint(endpoint_id, session)
        jobs = [await endpoint.run(edit(image=images)), await endpoint.run(edit())]
        return [await job.output(timeout=60) for job in jobs]


endpoint = runpod.Endpoint(endpoint_id)
seen = {
    "several": endpoint.run_sync(edit(image=images), timeout=60),
    "under_another_name": endpoint.run_sync(edit(images=images), timeout=60),
    "none": endpoint.run_sync(edit(), timeout=60),
    # What this client makes of a refused input.
    "too_many": None,
    "asyncio": asyncio.run(see_asyncio()),
}
try:
    seen["too_many"] = endpoint.run_sync(edit(image=images * 3), timeout=60)
except Exception as error:
    seen["too_many"] = f"{type(error).__name__}: {error}"
json.dump(seen, sys.stdout)
sys.stdout.flush()
os._exit(0)
