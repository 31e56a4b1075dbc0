/** Encoded prompts and images with the real engine: kept for the jobs of one API key, and unknown to those of another. */
import { afterEach, expect, it } from "vitest";
import { realEngine, startTestService, type TestService } from "../support/service.ts";

let server: TestService | undefined;
afterEach(() => server?.close());

it("are made once a key, as the metrics tell, and found by no other key", async () => {
  const settings = { RETOUCH_SAFETY: "off" };
  server = await startTestService({ database: "PGlite", engine: realEngine, settings });
  const { address, call, service } = server;
  const image = `${address}/examples/bluebird.png`;
  const edit = async (key: string, seed: number): Promise<void> => {
    const input = { prompt: "Make it night", image, size: "256*256", num_inference_steps: 1, seed };
    const { body } = await call("/runsync", { key, body: { input } });
    expect(body.status).toBe("COMPLETED");
  };
  const counts = async (): Promise<number[]> => {
    const text = await (await fetch(`${address}/metrics`)).text();
    return ["hits_total", "misses_total", "bytes"].map((name) =>
      Number(new RegExp(`^retouch_encoding_${name} (\\d+)$`, "m").exec(text)![1]),
    );
  };
  expect(await counts()).toEqual([0, 0, 0]);
  await edit(server.key, 1);
  const [hits, misses, bytes] = (await counts()) as [number, number, number];
  // The warm-up's own prompt and image, and the two encodings of the text and the one of the image.
  expect(hits).toBe(0);
  expect(misses).toBe(6);
  await edit(server.key, 2);
  expect(await counts()).toEqual([3, 6, bytes]);

  const { key: other } = await service.keys.create("other");
  await edit(other, 2);
  const [otherHits, otherMisses, both] = (await counts()) as [number, number, number];
  expect([otherHits, otherMisses]).toEqual([3, 9]);
  expect(both).toBeGreaterThan(bytes);
  await edit(other, 3);
  expect(await counts()).toEqual([6, 9, both]);
});
