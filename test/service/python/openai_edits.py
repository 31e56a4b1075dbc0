"""OpenAI's published Python client, plain and for asyncio, as its users call it. Prints what it got, as JSON."""

import asyncio
import base64
import io
import json
import sys

import openai

base_url, model, key, picture = sys.argv[1:5]
few_steps = {"num_inference_steps": 4, "seed": 7}


def summary(answer):
    return {
        "size": answer.size,
        "output_format": answer.output_format,
        "seeds": [image.seed for image in answer.data],
        "urls": [image.url for image in answer.data],
        "starts": [base64.b64decode(image.b64_json or "")[:4].hex() for image in answer.data],
    }


def failure(error):
    return {"class": type(error).__name__, "code": error.code, "param": error.param, "message": str(error)}


def plain():
    client = openai.OpenAI(base_url=base_url, api_key=key)
    seen = {"models": [known.id for known in client.models.list()], "model": client.models.retrieve(model).id}
    with open(picture, "rb") as file:
        edited = client.images.edit(
            model=model, image=file, prompt="Make it night", size="256x256", extra_body=few_steps
        )
        seen["base64"] = summary(edited)
        file.seek(0)
        edited = client.images.edit(
            image=[file],
            prompt="Make it night",
            size="256x256",
            n=2,
            response_format="url",
            output_format="jpeg",
            extra_body=few_steps,
        )
        seen["urls"] = summary(edited)
        for name, more in {"size": {"size": "1x1"}, "mask": {"mask": io.BytesIO(b"a mask")}}.items():
            file.seek(0)
            try:
                client.images.edit(image=file, prompt="Make it night", **more)
            except openai.APIError as error:
                seen[name] = failure(error)
    try:
        openai.OpenAI(base_url=base_url, api_key="wrong-key-of-sixteen").models.list()
    except openai.APIError as error:
        seen["key"] = failure(error)
    return seen


async def with_asyncio():
    async with openai.AsyncOpenAI(base_url=base_url, api_key=key) as client:
        with open(picture, "rb") as file:
            content = file.read()
        edits = [
            client.images.edit(
                image=("bird.png", content, "image/png"),
                prompt="Make it night",
                size="256x256",
                extra_body={**few_steps, "seed": seed},
            )
            for seed in (1, 2)
        ]
        seen = {"edits": [summary(answer) for answer in await asyncio.gather(*edits)]}
        try:
            await client.images.edit(image=("bird.png", b"no picture"), prompt="Make it night")
        except openai.APIError as error:
            seen["image"] = failure(error)
        return seen


seen = {"version": openai.__version__, "plain": plain(), "asyncio": asyncio.run(with_asyncio())}
json.dump(seen, sys.stdout)
