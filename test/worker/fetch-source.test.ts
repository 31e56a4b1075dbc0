/** A picture on its way from an address into the storage. */
import { describe, expect, it } from "vitest";
import { RetouchError } from "../../src/errors.ts";
import { createAddressPolicy } from "../../src/net/address-policy.ts";
import { createAgents } from "../../src/net/agents.ts";
import { createHttpClient } from "../../src/net/http-client.ts";
import { fetchSource, type FetchDependencies } from "../../src/worker/fetch-source.ts";
import { refusal } from "../support/refusal.ts";
import { keysOf, serve, setupFor, workplace } from "./samples.ts";

const BYTES = Buffer.from("bytes of a picture");

async function prepare({ allowed = ["127.0.0.1"] } = {}) {
  const { storage, image } = await workplace();
  if (image.kind === "stored") await storage.delete(image.key);
  const client = createHttpClient(createAgents(createAddressPolicy(allowed)));
  const dependencies: FetchDependencies = { storage, client, limits: setupFor("") };
  const controller = new AbortController();
  const run = (url: string) => fetchSource(dependencies, url, controller.signal);
  return { dependencies, storage, controller, run };
}

describe("a picture's address", () => {
  it("is downloaded into the storage", async () => {
    const { run, storage } = await prepare();
    const { key, bytes } = await run(await serve((_, answer) => answer.end(BYTES)));
    expect(bytes).toBe(BYTES.byteLength);
    expect(Buffer.from((await storage.get(key))!.bytes)).toEqual(BYTES);
    expect(await keysOf(storage, "inputs")).toEqual([key]);
  });

  it("is refused where it is not public", async () => {
    const { run } = await prepare({ allowed: [] });
    await expect(run(await serve((_, answer) => answer.end()))).rejects.toEqual(
      refusal("IMAGE_UNREADABLE", /^http:\/\/127\.0\.0\.1:\d+\/ cannot be downloaded: .*not public.*\.$/),
    );
  });

  it("is left at once when the job is cancelled, and nothing stays", async () => {
    const { run, storage, controller } = await prepare();
    const url = await serve((_, answer) => {
      answer.write("\x89PNG");
      controller.abort();
    });
    await expect(run(url)).rejects.toEqual(refusal("ABORTED", /aborted/));
    await expect(run(url)).rejects.toEqual(refusal("ABORTED", "The job was cancelled."));
    expect(await keysOf(storage, "inputs")).toEqual([]);
  });

  it("leaves nothing where the job is cancelled while the picture is stored", async () => {
    const { run, dependencies, storage, controller } = await prepare();
    dependencies.storage = {
      ...storage,
      async put(key, bytes) {
        controller.abort();
        await storage.put(key, bytes);
      },
    };
    await expect(run(await serve((_, answer) => answer.end(BYTES)))).rejects.toEqual(
      refusal("ABORTED", "The job was cancelled."),
    );
    expect(await keysOf(storage, "inputs")).toEqual([]);
  });

  it("fails without a word about our storage when that does not take it", async () => {
    const { run, dependencies, storage } = await prepare();
    const cause = new RetouchError("OUTPUT_UNWRITABLE", "The image cannot be stored: no space left.");
    dependencies.storage = { ...storage, put: () => Promise.reject(cause) };
    await expect(run(await serve((_, answer) => answer.end(BYTES)))).rejects.toEqual(
      refusal("STORAGE_UNAVAILABLE", "image: the image cannot be stored at the moment."),
    );
  });
});
