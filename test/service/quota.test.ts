/** The quota of a key and pictures by URL, whose size is known once they are downloaded. */
import { createServer } from "node:http";
import type { AddressInfo } from "node:net";
import sharp from "sharp";
import { describe, expect, it, onTestFinished } from "vitest";
import { collect } from "../support/buckets.ts";
import { postgresMissing } from "../support/databases.ts";
import {
  type Answer,
  type DatabaseName,
  startTestService,
  type TestService,
  until,
} from "../support/service.ts";

const SIDE = 3000;

/** Serves a picture of some kilobytes, and one of a megabyte and more. */
async function serveImages(): Promise<string> {
  const grey = { width: SIDE, height: SIDE, channels: 3, background: "grey" } as const;
  const small = await sharp({ create: grey }).png().toBuffer();
  const images: Record<string, Buffer> = {
    "/wide.png": small,
    "/heavy.png": Buffer.concat([small, Buffer.alloc(1.5 * 2 ** 20)]),
  };
  const site = createServer((request, response) => void response.end(images[request.url!]));
  await new Promise<void>((resolve) => site.listen(0, "127.0.0.1", resolve));
  onTestFinished(() => void site.close());
  return `http://127.0.0.1:${(site.address() as AddressInfo).port}`;
}

async function ended({ call }: TestService, input: object): Promise<Answer["body"]> {
  const { status, body } = await call("/run", { body: { input: { prompt: "sleep 1", ...input } } });
  expect(status).toBe(200);
  return (
    await until(
      () => call(`/status/${body.id}`),
      (answer) => !["IN_QUEUE", "IN_PROGRESS"].includes(answer.body.status),
    )
  ).body;
}

describe.each<DatabaseName>(["PGlite", "PostgreSQL"])("a quota on %s", (database) => {
  describe.skipIf(database === "PostgreSQL" && postgresMissing !== undefined)("of 1 MB", () => {
    it("ends a job whose picture by URL is too large for it, or whose results are, in the sentence of a refusal", async () => {
      const service = await startTestService({ database, settings: { RETOUCH_KEY_QUOTA: "1MB" } });
      onTestFinished(() => service.close());
      const site = await serveImages();
      const stored = async (): Promise<unknown[]> => {
        const { storage } = service.service.data;
        return [...(await collect(storage.list("inputs"))), ...(await collect(storage.list("outputs")))];
      };

      const heavy = await ended(service, { image: `${site}/heavy.png`, size: "256*256" });
      expect(heavy).toMatchObject({
        status: "FAILED",
        error: "The images stored for this key take 0 MB of 1 MB; results are deleted after 168 h.",
      });
      await until(stored, (all) => all.length === 0);

      const wide = await ended(service, { image: `${site}/wide.png`, size: "source" });
      expect(wide).toMatchObject({
        status: "FAILED",
        error:
          "size: a result of 3000 x 3000 pixels takes about 15.0 MB, for which there is no room: " +
          "The images stored for this key take 1 MB of 1 MB; results are deleted after 168 h.",
      });
      const { body } = await service.call("/usage");
      expect(body.total).toEqual({ completed: 0, failed: 2, cost: 0 });

      const done = await ended(service, { image: `${site}/wide.png`, size: "256*256" });
      expect(done).toMatchObject({ status: "COMPLETED" });
    });
  });
});
