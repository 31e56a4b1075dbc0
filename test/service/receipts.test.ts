/** Receipts over HTTP: each result's, and the keys that sign them, which all programs on a database share. */
import { readFile } from "node:fs/promises";
import path from "node:path";
import { afterAll, beforeAll, describe, expect, it } from "vitest";
import { checkFile, openReceiptFile, receiptIn } from "../../src/receipts/file-receipt.ts";
import { createKeyPem, type PublicJwk, readPublicKeys, readSigningKey } from "../../src/receipts/keys.ts";
import { readReceipt, signerOf } from "../../src/receipts/read-receipt.ts";
import { openReceiptKeys } from "../../src/service/receipt-keys.ts";
import { sha256 } from "../../src/sha256.ts";
import { postgresMissing } from "../support/databases.ts";
import { root } from "../support/fixtures.ts";
import {
  type DatabaseName,
  ONE_THREAD,
  realEngine,
  startTestService,
  type TestService,
} from "../support/service.ts";

const KEYS = "/.well-known/retouch-receipts.json";
const OTHER_KEY = "another-key-of-sixteen";

describe.each<DatabaseName>(["PGlite", "PostgreSQL"])("receipts on %s", (database) => {
  describe.skipIf(database === "PostgreSQL" && postgresMissing !== undefined)(
    postgresMissing ?? "answers",
    () => {
      let server: TestService;
      let source: Buffer;
      beforeAll(async () => {
        server = await startTestService({ database, engine: realEngine, settings: { ...ONE_THREAD } });
        await server.service.keys.ensure(OTHER_KEY, "other");
        source = await readFile(path.join(root, "examples", "teapot.png"));
      });
      afterAll(() => server?.close());

      const published = async (): Promise<PublicJwk[]> => {
        const answer = await fetch(server.address + KEYS);
        expect(answer.headers.get("content-type")).toContain("application/jwk-set+json");
        return readPublicKeys(await answer.text());
      };

      it("are each result's own, signed, in its file and at a route", async () => {
        const input = {
          prompt: "Make it night",
          image: source.toString("base64"),
          size: "256*256",
          num_inference_steps: 1,
          num_images: 2,
          seed: 3,
          output_format: "webp",
        };
        const { body } = await server.call("/runsync?wait=120000", { body: { input } });
        expect(body.status, JSON.stringify(body)).toBe("COMPLETED");
        // Clients of the published interface see nothing of them.
        expect(JSON.stringify(body)).not.toContain("receipt");
        const keys = await published();
        for (const [index, { url, seed }] of body.output.images.entries()) {
          const answer = await server.call(`/receipt/${body.id}?image=${index}`);
          expect(answer.status).toBe(200);
          const receipt = readReceipt(JSON.stringify(answer.body));
          expect(signerOf(receipt, keys)).toEqual(keys[0]);
          expect(receipt).toMatchObject({ seed, inputs: [{ sha256: sha256(source), bytes: source.length }] });
          // Its words stay where they are.
          expect(JSON.stringify(receipt)).not.toContain("night");
          const image = new Uint8Array(await (await fetch(url)).arrayBuffer());
          const file = await openReceiptFile(image);
          const { file: whole, signature: _, ...beside } = receipt;
          const { signature: __, ...inside } = receiptIn(file);
          expect(inside).toEqual(beside);
          expect(signerOf(receiptIn(file), keys)).toEqual(keys[0]);
          expect(() => checkFile(file, receipt)).not.toThrow();
          expect(whole).toEqual({ sha256: sha256(image), bytes: image.byteLength });
        }
        const first = await server.call(`/receipt/${body.id}`);
        expect(first.body.seed).toBe(3);
        expect((await server.call(`/receipt/${body.id}?image=2`)).body).toEqual({
          error: "This job has no such receipt.",
        });
        expect((await server.call(`/receipt/${body.id}`, { key: OTHER_KEY })).status).toBe(404);
        expect((await server.call("/receipt/unknown")).body).toEqual({ error: "job not found" });
      });

      it("are signed with one key by all programs on the database, and older keys stay known", async () => {
        const { database: own } = server.service.data;
        const again = await openReceiptKeys(own, {});
        const [first] = await published();
        expect((await again.published())[0]).toEqual(first);
        expect(again.pem).toBe(server.service.data.receiptKeys.pem);

        const pem = createKeyPem();
        const { publicJwk } = readSigningKey(pem)!;
        const rotated = await openReceiptKeys(own, { receiptKey: pem });
        expect(await rotated.published()).toEqual([publicJwk, first]);
        const later = await openReceiptKeys(own, {});
        expect(await later.published()).toEqual([first, publicJwk]);
        const revoking = await openReceiptKeys(own, { revokedReceiptKeys: [publicJwk.kid] });
        expect(await revoking.published()).toEqual([first]);
      });
    },
  );
});
