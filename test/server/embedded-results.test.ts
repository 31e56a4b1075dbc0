/** Results without an address, which lie in the storage and are shown as data URLs. */
import { describe, expect, it } from "vitest";
import { RetouchError } from "../../src/errors.ts";
import type { Job } from "../../src/jobs/job.ts";
import { createKey } from "../../src/storage/storage.ts";
import { resultOf } from "./fakes.ts";
import { startServer, type TestServer } from "./server.ts";

const BYTES = Uint8Array.of(1, 2, 3);

describe("a result without an address", () => {
  /** Two completed jobs of one result: as it lies in the storage, and as earlier versions kept it. */
  const prepare = async () => {
    const server = await startServer();
    const key = createKey("inline", "jpeg");
    await server.storage.put(key, BYTES);
    const ids = [await server.submit(), await server.submit()] as const;
    const images = [
      { kind: "embedded", key, bytes: 3 },
      { kind: "inline", dataUrl: "data:image/jpeg;base64,AQID" },
    ] as const;
    for (const [at, image] of images.entries()) {
      const result = resultOf("", { image, format: "jpeg" });
      server.jobs.change(ids[at]!, {
        status: "completed",
        startedAt: new Date(0),
        endedAt: new Date(1000),
        delayMs: 1,
        executionMs: 2,
        workerId: "worker",
        result,
      } satisfies Partial<Job>);
      server.jobs.addChunk(ids[at]!, { kind: "result", result });
    }
    return { server, key, ids };
  };
  const goAway = ({ storage }: TestServer): (() => void) => {
    const { get } = storage;
    storage.get = () => Promise.reject(new RetouchError("STORAGE_UNAVAILABLE", "The disk is away."));
    return () => void (storage.get = get);
  };

  it.each([
    ["/status", "GET"],
    ["/status-sync", "POST"],
    ["/stream", "GET"],
    ["/cancel", "POST"],
  ] as const)("is shown by %s to the byte as one that its row holds", async (route, method) => {
    const { server, ids } = await prepare();
    const texts: string[] = [];
    for (const id of ids) {
      const { statusCode, payload } = await server.call(method, `${route}/${id}`);
      expect(statusCode).toBe(200);
      texts.push(payload.replaceAll(id, "ID"));
    }
    expect(texts[0]).toContain(
      '"image_url":"data:image/jpeg;base64,AQID","result":"data:image/jpeg;base64,AQID"',
    );
    expect(texts[0]).toBe(texts[1]);
  });

  it("is shown by /requests and by a call that waited", async () => {
    const { server, ids } = await prepare();
    const { requests } = (await server.call("GET", "/requests")).json<{ requests: { output: object }[] }>();
    expect(requests[0]!.output).toEqual(requests[1]!.output);
    expect(requests[0]!.output).toMatchObject({ image_url: "data:image/jpeg;base64,AQID" });
    const { result } = (await server.jobs.find(ids[0], server.jobs.submitted[0]!.keyId))!;
    const held = server.call("POST", "/runsync", {
      body: { input: { prompt: "a", image: "data:image/png;base64,iVBORw0KGgo=" } },
    });
    await expect.poll(() => server.jobs.waiting()).toBe(1);
    const { requests: all } = (await server.call("GET", "/requests")).json<{ requests: { id: string }[] }>();
    const id = all.find((one) => one.id.startsWith("sync-"))!.id;
    server.jobs.change(id, { status: "completed", result });
    expect((await held).json()).toMatchObject({ output: { result: "data:image/jpeg;base64,AQID" } });
  });

  it("is not lost while the storage is away: the call says so, and names the job", async () => {
    const { server, ids } = await prepare();
    const comeBack = goAway(server);
    for (const route of ["/status", "/status-sync", "/stream"]) {
      const answer = await server.call("GET", `${route}/${ids[0]}`);
      expect([answer.statusCode, answer.headers["retry-after"], answer.json()]).toEqual([
        503,
        "5",
        { error: `The result of the job ${ids[0]} cannot be read at the moment; ask for it again later.` },
      ]);
    }
    // What the stream had taken out is back.
    expect(server.jobs.chunksLeft(ids[0])).toBe(1);
    expect((await server.call("GET", `/status/${ids[1]}`)).statusCode).toBe(200);
    comeBack();
    expect((await server.call("GET", `/stream/${ids[0]}`)).json()).toMatchObject({
      stream: [{ output: { result: "data:image/jpeg;base64,AQID" } }],
    });
  });

  it("is one of several, each of which is read once", async () => {
    const server = await startServer();
    const keys = [1, 2].map(() => createKey("inline", "png"));
    for (const [index, key] of keys.entries()) await server.storage.put(key, Uint8Array.of(index));
    const images = keys.map((key, index) => ({
      image: { kind: "embedded", key, bytes: 1 } as const,
      seed: 7 + index,
      safetyScore: 0.25,
    }));
    const result = resultOf("", { image: images[0]!.image, images, cost: 0.2 });
    const id = await server.submit();
    server.jobs.change(id, { status: "completed", result });
    const { get } = server.storage;
    let reads = 0;
    server.storage.get = (key) => {
      reads += 1;
      return get(key);
    };
    const { output } = (await server.call("GET", `/status/${id}`)).json<{ output: object }>();
    const [first, second] = ["data:image/png;base64,AA==", "data:image/png;base64,AQ=="];
    expect(output).toMatchObject({ image_url: first, result: first, seed: 7, cost: 0.2 });
    expect(output).toHaveProperty("images", [
      { url: first, seed: 7, size: "1024*1024", cost: 0.1, safety_score: 0.25 },
      { url: second, seed: 8, size: "1024*1024", cost: 0.1, safety_score: 0.25 },
    ]);
    expect(reads).toBe(2);
    server.storage.get = get;
    await server.storage.delete(keys[1]!);
    const { output: rest } = (await server.call("GET", `/status/${id}`)).json<{ output: object }>();
    expect(rest).toMatchObject({
      image_url: first,
      images: [{ url: first }, { seed: 8 }],
      notices: ["The result is no longer in the storage."],
    });
  });

  it("that somebody deleted leaves the rest of its job, and says so", async () => {
    const { server, key, ids } = await prepare();
    await server.storage.delete(key);
    const { output } = (await server.call("GET", `/status/${ids[0]}`)).json<{ output: object }>();
    expect(output).toMatchObject({ cost: 0.031457, notices: ["The result is no longer in the storage."] });
    expect(output).not.toHaveProperty("image_url");
    expect(output).not.toHaveProperty("result");
  });

  it("has no address, whoever knows its name", async () => {
    const { server, key } = await prepare();
    expect(() => server.signedUrls.sign(key, new Date())).toThrow("Only results have addresses.");
    const name = key.replace("inline/", "");
    expect((await server.inject({ url: `/files/${name}?expires=9999999999&signature=a` })).statusCode).toBe(
      404,
    );
  });
});
