"""The published Python client for asyncio, as its users call it. Prints what it got, as JSON."""

import asyncio
import json
import sys

import runpod

base_url, endpoint_id, key, image = sys.argv[1:5]
runpod.endpoint_url_base = base_url
runpod.api_key = key

from runpod import AsyncioEndpoint, http_client  # noqa: E402  reads both of the above when it is imported


def edit(**more):
    return {"prompt": "Make it night", "image": image, "size": "256*256", "num_inference_steps": 4, **more}


async def main():
    seen = {}
    async with http_client.AsyncClientSession() as session:
        endpoint = AsyncioEndpoint(endpoint_id, session)
        job = await endpoint.run(edit())
        seen["first_status"] = await job.status()
        seen["output"] = await job.output(timeout=60)
        seen["last_status"] = await job.status()
        streamed = await endpoint.run(edit(num_inference_steps=50))
        seen["stream"] = [output async for output in streamed.stream()]
        cancelled = await endpoint.run(edit(num_inference_steps=50, size="1024*1024"))
        seen["cancel"] = await cancelled.cancel()
        seen["purge"] = await endpoint.purge_queue()
        seen["health"] = await endpoint.health()
    json.dump(seen, sys.stdout)


asyncio.run(main())
