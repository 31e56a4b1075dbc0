"""Streams of OpenAI's published Python client, plain and for asyncio: pictures as they form. Prints what came, as JSON."""

import asyncio
import base64
import json
import sys

import openai

base_url, key, picture = sys.argv[1:4]
with open(picture, "rb") as file:
    bird = ("bird.png", file.read(), "image/png")
request = {
    "prompt": "Make it night",
    "size": "256x256",
    "output_format": "jpeg",
    "stream": True,
    "partial_images": 2,
    "extra_body": {"num_inference_steps": 4, "seed": 7},
}


def summary(event):
    return {
        "type": event.type,
        "place": getattr(event, "partial_image_index", None),
        "start": base64.b64decode(event.b64_json)[:2].hex(),
        "tokens": event.usage.total_tokens if event.type == "image_edit.completed" else None,
    }


def plain():
    client = openai.OpenAI(base_url=base_url, api_key=key)
    seen = [summary(event) for event in client.images.edit(image=[bird, bird], **request)]
    try:
        for _ in client.images.edit(image=("bird.png", b"no picture"), **request):
            pass
    except openai.APIError as error:
        return seen, {"class": type(error).__name__, "code": error.code, "param": error.param}


async def with_asyncio():
    async with openai.AsyncOpenAI(base_url=base_url, api_key=key) as client:
        return [summary(event) async for event in await client.images.edit(image=bird, **request)]


events, failure = plain()
seen = {"version": openai.__version__, "plain": events, "failure": failure, "asyncio": asyncio.run(with_asyncio())}
json.dump(seen, sys.stdout)
