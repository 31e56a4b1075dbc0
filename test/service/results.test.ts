/** Several results of one job, over HTTP: stored, counted, paid and deleted together. */
import { readFile } from "node:fs/promises";
import path from "node:path";
import { afterAll, beforeAll, describe, expect, it } from "vitest";
import { postgresMissing } from "../support/databases.ts";
import { root } from "../support/fixtures.ts";
import { type DatabaseName, startTestService, type TestService, until } from "../support/service.ts";

describe.each<DatabaseName>(["PGlite", "PostgreSQL"])("several results on %s", (database) => {
  describe.skipIf(database === "PostgreSQL" && postgresMissing !== undefined)(
    postgresMissing ?? "answers",
    () => {
      let server: TestService;
      let input: Record<string, unknown>;
      beforeAll(async () => {
        server = await startTestService({ database, settings: { RETOUCH_PRICE: "0.025/image" } });
        const image = (await readFile(path.join(root, "examples", "fox.png"))).toString("base64");
        input = { prompt: "x", image, size: "256*256", num_inference_steps: 4, seed: 7, num_images: 3 };
      });
      afterAll(() => server?.close());

      const rows = async (): Promise<string[]> => {
        const found = await server.service.data.database.query<{ storage_key: string }>(
          `select storage_key from "${server.schema}".pictures order by storage_key`,
        );
        return found.map((row) => row.storage_key);
      };
      const usage = async (): Promise<{ completed: number; cost: number }> =>
        (await server.call("/usage")).body.total;

      it("come with their addresses, seeds and costs, and cost what they cost", async () => {
        const before = await usage();
        const known = await rows();
        const { body } = await server.call("/runsync", { body: { input } });
        expect(body).toMatchObject({ status: "COMPLETED", output: { seed: 7, cost: 0.075 } });
        const { images, image_url: first, result } = body.output;
        expect([first, result]).toEqual([images[0].url, images[0].url]);
        expect(images).toEqual(
          [7, 8, 9].map((seed) => ({ url: expect.any(String), seed, size: "256*256", cost: 0.025 })),
        );
        const urls = images.map(({ url }: { url: string }) => url);
        expect(new Set(urls).size).toBe(3);
        for (const url of urls) {
          const reply = await fetch(url);
          expect([reply.status, reply.headers.get("content-type")]).toEqual([200, "image/png"]);
        }
        const after = await usage();
        expect([after.completed - before.completed, Number((after.cost - before.cost).toFixed(6))]).toEqual([
          1, 0.075,
        ]);
        const made = (await rows()).filter((key) => !known.includes(key));
        expect(made.filter((key) => key.startsWith("outputs/"))).toHaveLength(3);
      });

      it("count their steps together", async () => {
        const { body } = await server.call("/run", { body: { input: { ...input, prompt: "sleep 3000" } } });
        const progress = new Set<string>();
        const done = await until(
          async () => (await server.call(`/status/${body.id}`)).body,
          ({ status, output }) => {
            if (output?.progress) progress.add(output.progress);
            return status === "COMPLETED";
          },
        );
        expect(done.output.images).toHaveLength(3);
        const steps = [...progress].map((text) => Number(/^(\d+)\/12$/.exec(text)?.[1]));
        expect(steps.every((step) => step >= 0 && step <= 12)).toBe(true);
        expect(Math.max(...steps)).toBeGreaterThan(4);
      });

      it("leave nothing where the job is cancelled or fails", async () => {
        const before = await rows();
        const slow = await server.call("/run", { body: { input: { ...input, prompt: "sleep 20000" } } });
        await until(
          async () => (await server.call(`/status/${slow.body.id}`)).body,
          ({ output }) => Number(output?.progress?.split("/")[0]) >= 1,
        );
        await server.call(`/cancel/${slow.body.id}`, { method: "POST" });
        const flagged = await server.call("/runsync", { body: { input: { ...input, prompt: "flagged" } } });
        expect(flagged.body).toMatchObject({ status: "FAILED", error: expect.stringContaining("refused") });
        const kept = new Set(before);
        const results = (await rows()).filter((key) => !kept.has(key) && !key.startsWith("inputs/"));
        expect(results).toEqual([]);
      });

      it("are shown as data URLs where they have no address, and all go with their job", async () => {
        const embedded = { ...input, enable_base64_output: true };
        const { body } = await server.call("/run", { body: { input: embedded } });
        const done = await until(
          async () => (await server.call(`/status/${body.id}`)).body,
          ({ status }) => status === "COMPLETED",
        );
        const { images, image_url: first } = done.output;
        expect(images).toHaveLength(3);
        for (const { url } of images) expect(url).toMatch(/^data:image\/png;base64,/);
        expect(first).toBe(images[0].url);
        const inline = async () => (await rows()).filter((key) => key.startsWith("inline/"));
        expect(await inline()).toHaveLength(3);
        await server.call(`/status/${body.id}?ttl=1`);
        await until(inline, (keys) => keys.length === 0, { patienceMs: 60_000 });
      });

      it("are one job for OpenAI's clients", async () => {
        const response = await fetch(`${server.address}/v1/images/edits`, {
          method: "POST",
          headers: { authorization: `Bearer ${server.key}`, "content-type": "application/json" },
          body: JSON.stringify({
            prompt: "x",
            images: [`${server.address}/examples/fox.png`],
            n: 3,
            seed: 1,
            size: "256x256",
          }),
        });
        const { data } = (await response.json()) as {
          data: { id: string; seed: number; b64_json: string }[];
        };
        expect(data.map(({ seed }) => seed)).toEqual([1, 2, 3]);
        expect(new Set(data.map(({ id }) => id)).size).toBe(1);
        for (const { b64_json: text } of data) expect(text).toMatch(/^iVBORw0KGgo/);
      });
    },
  );
});
