/** Edits of edits over HTTP: what an edit knows of its parent, and edits from the original. */
import { createHash } from "node:crypto";
import { createServer } from "node:http";
import { once } from "node:events";
import { readFile } from "node:fs/promises";
import type { AddressInfo } from "node:net";
import path from "node:path";
import { afterAll, beforeAll, describe, expect, it, onTestFinished } from "vitest";
import { postgresMissing } from "../support/databases.ts";
import { root } from "../support/fixtures.ts";
import {
  type Answer,
  call,
  type DatabaseName,
  startTestService,
  type TestService,
  until,
} from "../support/service.ts";

const OTHER_KEY = "another-key-of-sixteen";

describe.each<DatabaseName>(["PGlite", "PostgreSQL"])("edits of edits on %s", (database) => {
  describe.skipIf(database === "PostgreSQL" && postgresMissing !== undefined)(
    postgresMissing ?? "answers",
    () => {
      let server: TestService;
      let example: string;
      beforeAll(async () => {
        // A minute is not much on a busy machine.
        server = await startTestService({ database, settings: { RETOUCH_SYNC_RETENTION: "30m" } });
        await server.service.keys.ensure(OTHER_KEY, "other");
        example = (await readFile(path.join(root, "examples", "fox.png"))).toString("base64");
      });
      afterAll(() => server?.close());

      // Results of the stub are equal where their sizes are.
      let side = 256;
      const submit = (input: object, key?: string): Promise<Answer> => {
        side += 1;
        const own = { size: `${side}*${side}`, num_inference_steps: 2, prompt: "noise 1" };
        return server.call("/runsync", { body: { input: { ...own, ...input } }, ...(key && { key }) });
      };
      const edit = async (input: object, key?: string) => {
        const { status, body } = await submit(input, key);
        expect([status, body.status], JSON.stringify(body)).toEqual([200, "COMPLETED"]);
        return { id: body.id as string, url: body.output.image_url as string, output: body.output };
      };
      const refused = async (input: object, key?: string): Promise<string> => {
        const { status, body } = await submit(input, key);
        expect([status, body.status], JSON.stringify(body)).toEqual([400, "FAILED"]);
        return body.error;
      };
      const rowOf = async (id: string) => {
        const rows = await server.service.data.database.query<{ edit: any }>(
          `select edit from "${server.schema}".jobs where id = $1`,
          [id],
        );
        return rows[0]!.edit;
      };
      const sourceOf = async (id: string): Promise<string> => {
        const { images } = await rowOf(id);
        return Buffer.from((await server.service.data.storage.get(images[0].key))!.bytes).toString("base64");
      };
      const bytesAt = async (url: string): Promise<Buffer> =>
        Buffer.from(await (await fetch(url)).arrayBuffer());

      it("know their parents, and are made from the original with all instructions", async () => {
        const first = await edit({ prompt: "Make it night.", image: example });
        for (const field of ["parent", "turn", "has_original", "notices"])
          expect(first.output[field]).toBeUndefined();
        const second = await edit({ prompt: "Add snow", image: first.url });
        expect(second.output).toMatchObject({
          parent: first.id,
          parent_image: 0,
          turn: 2,
          has_original: true,
        });
        expect(second.output.notices).toEqual([
          "This is edit 2 in a row of one picture; with from_original it is made from the original, by the instructions of all 2.",
        ]);
        const third = { prompt: "Remove the car.", image: second.url };
        const plain = await edit(third);
        expect(plain.output).toMatchObject({ parent: second.id, turn: 3, has_original: true });
        expect(plain.output.from_original).toBeUndefined();
        const whole = await edit({ ...third, from_original: true });
        expect(whole.output).toMatchObject({ parent: second.id, turn: 3, from_original: true });
        expect(whole.output.has_original).toBeUndefined();
        expect(whole.output.notices).toBeUndefined();
        expect(await rowOf(whole.id)).toMatchObject({
          prompt: "Make it night, then Add snow, then Remove the car.",
        });
        expect(await sourceOf(whole.id)).toBe(example);
        // What follows goes back to the same picture, and says nothing twice.
        const fourth = await edit({ prompt: "Add a hat", image: whole.url, from_original: true });
        expect(fourth.output).toMatchObject({ parent: whole.id, turn: 4, from_original: true });
        expect((await rowOf(fourth.id)).prompt).toBe(
          "Make it night, then Add snow, then Remove the car, then Add a hat",
        );
        expect(await sourceOf(fourth.id)).toBe(example);
      });

      it("know them by their results' bytes, sent or downloaded", async () => {
        const first = await edit({ image: example });
        const bytes = await bytesAt(first.url);
        expect((await edit({ image: bytes.toString("base64") })).output).toMatchObject({
          parent: first.id,
          turn: 2,
        });
        const elsewhere = createServer((_, reply) => void reply.end(bytes)).listen(0, "127.0.0.1");
        onTestFinished(() => void elsewhere.close());
        await once(elsewhere, "listening");
        const image = `http://127.0.0.1:${(elsewhere.address() as AddressInfo).port}/a.png`;
        const second = await edit({ image });
        expect(second.output).toMatchObject({ parent: first.id, turn: 2, has_original: true });
        expect(await refused({ image, from_original: true })).toBe(
          "from_original: the image is not known as a result of this key; name its edit in parent.",
        );
        const whole = await edit({ parent: second.id, from_original: true });
        expect(whole.output).toMatchObject({ parent: second.id, turn: 3, from_original: true });
        expect(await sourceOf(whole.id)).toBe(example);
      });

      it("are made of a parent that is named, and of the result that is chosen", async () => {
        const first = await edit({ image: example, num_images: 2 });
        const urls = first.output.images.map((one: { url: string }) => one.url);
        for (const [index, url] of urls.entries()) {
          const child = await edit({ parent: first.id, parent_image: index });
          expect(child.output).toMatchObject({ parent: first.id, parent_image: index });
          expect(new URL(url).pathname).toContain((await rowOf(child.id)).images[0].key.split("/")[1]);
        }
        expect((await edit({ image: urls[1] })).output).toMatchObject({ parent: first.id, parent_image: 1 });
        expect(await refused({ parent: first.id, parent_image: 2 })).toBe(
          "parent_image: that edit has 2 results, counted from 0.",
        );
        const child = await edit({ parent: first.id });
        expect(await refused({ parent: child.id, parent_image: 1 })).toBe(
          "parent_image: that edit has one result, counted from 0.",
        );
        expect(await refused({ image: example, parent_image: 1 })).toBe(
          "parent_image must not be given without parent.",
        );
        // A picture of one's own, such as a crop of the result, with the parent that the caller knows.
        expect((await edit({ parent: first.id, image: example })).output).toMatchObject({
          parent: first.id,
          turn: 2,
        });
      });

      it("are made of results without an address", async () => {
        const first = await edit({ image: example, enable_base64_output: true });
        const child = await edit({ parent: first.id });
        expect(child.output).toMatchObject({ parent: first.id, turn: 2 });
        // Its picture is no original, and is deleted with its end.
        const bytes = Buffer.from(first.url.split(",")[1]!, "base64");
        const sha256 = createHash("sha256").update(bytes).digest("hex");
        expect((await rowOf(child.id)).images[0]).toMatchObject({ sha256 });
        expect((await edit({ image: first.url })).output).toMatchObject({ parent: first.id });
      });

      it("tell nothing of another key's jobs", async () => {
        const first = await edit({ image: example });
        const stranger = await edit({ image: first.url }, OTHER_KEY);
        for (const field of ["parent", "turn", "has_original", "notices"]) {
          expect(stranger.output[field]).toBeUndefined();
        }
        const inline = (await bytesAt(first.url)).toString("base64");
        expect((await edit({ image: inline }, OTHER_KEY)).output.parent).toBeUndefined();
        const unknown = await refused({ parent: "never-was-u1" }, OTHER_KEY);
        expect(unknown).toBe("parent: there is no such job, or it is no longer kept.");
        expect(await refused({ parent: first.id }, OTHER_KEY)).toBe(unknown);
        const nothing = await refused({ image: example, from_original: true }, OTHER_KEY);
        expect(await refused({ image: first.url, from_original: true }, OTHER_KEY)).toBe(nothing);
        expect(nothing).toBe(
          "from_original: the image is not known as a result of this key; name its edit in parent.",
        );
      });

      it("are refused where the parent has no result", async () => {
        const failed = await submit({ image: example, prompt: "fail It went wrong." });
        expect(failed.body.status).toBe("FAILED");
        expect(await refused({ parent: failed.body.id })).toBe(
          "parent: that edit has failed, so it has no result.",
        );
        const running = await server.call("/run", {
          body: { input: { prompt: "sleep 60000", image: example, size: "256*256" } },
        });
        expect(await refused({ parent: running.body.id })).toBe(
          "parent: that edit is not done yet, so it has no result.",
        );
        await server.call(`/cancel/${running.body.id}`, { method: "POST" });
        await until(
          async () => (await server.call(`/status/${running.body.id}`)).body.status as string,
          (status) => status === "CANCELLED",
        );
        expect(await refused({ parent: running.body.id })).toBe(
          "parent: that edit was cancelled, so it has no result.",
        );
      });

      it.each(["", " ", "a b", "../a", "' or true --", "a".repeat(101), "é", 7, {}, ["a"], true])(
        "are refused with a parent such as %j",
        async (parent) => {
          expect(await refused({ image: example, parent })).toBe(
            "parent must be the id of a completed edit whose result is edited further; image may then be left out.",
          );
        },
      );

      it("still need a picture", async () => {
        expect(await refused({ from_original: true })).toBe("image is missing.");
        expect(await refused({ image: example, from_original: "yes" })).toBe(
          "from_original must be true or false.",
        );
        expect(await refused({ image: example, parent: "a", parent_image: 8 })).toBe(
          "parent_image must be a whole number from 0 to 7.",
        );
      });

      it("end with the jobs that they would go back to", async () => {
        const first = await edit({ image: example });
        const second = await edit({ image: first.url });
        await server.call(`/status/${first.id}?ttl=0`);
        const orphan = await edit({ image: first.url });
        expect(orphan.output.parent).toBeUndefined();
        const third = await edit({ image: second.url });
        expect(third.output).toMatchObject({ parent: second.id, turn: 3 });
        expect([third.output.has_original, third.output.notices]).toEqual([undefined, undefined]);
        expect(await refused({ image: second.url, from_original: true })).toBe(
          "from_original: an earlier edit is no longer kept, and its instruction with it.",
        );
      });

      it("take the original from the caller where it is no longer kept, and no other picture", async () => {
        const first = await edit({ prompt: "Make it night", image: example });
        await server.service.data.database.query(
          `delete from "${server.schema}".pictures where job_id = $1`,
          [first.id],
        );
        const second = await edit({ image: first.url });
        expect(second.output).toMatchObject({ parent: first.id, turn: 2 });
        expect(second.output.has_original).toBeUndefined();
        expect(await refused({ image: first.url, from_original: true })).toBe(
          "from_original: the original is no longer there; give it as image, in base64, together with parent.",
        );
        const whole = await edit({
          prompt: "Add snow",
          parent: first.id,
          image: example,
          from_original: true,
        });
        expect(whole.output).toMatchObject({ parent: first.id, from_original: true });
        expect(await sourceOf(whole.id)).toBe(example);
        const other = (await readFile(path.join(root, "examples", "bluebird.png"))).toString("base64");
        const kept = await edit({ image: example });
        expect(await refused({ parent: kept.id, image: other, from_original: true })).toBe(
          "image: with parent and from_original it must be the original, in base64, or be left out.",
        );
        expect((await edit({ parent: kept.id, image: kept.url, from_original: true })).output).toMatchObject({
          from_original: true,
        });
      });

      it("are not made from the original where that would be another edit", async () => {
        const mask = example;
        const masked = await edit({ image: example, mask });
        expect(await refused({ image: masked.url, from_original: true })).toBe(
          "from_original: edit 1 of the picture was made with a mask, which cannot be used again.",
        );
        expect((await edit({ image: masked.url })).output.has_original).toBeUndefined();
        const long = await edit({ prompt: "a".repeat(4000), image: example });
        expect(await refused({ image: long.url, from_original: true })).toBe(
          "from_original: the instructions of all edits have 4,014 characters together, and a prompt at most 4,000.",
        );
      });

      it("have nothing to do with each other on OpenAI's route", async () => {
        const first = await edit({ image: example });
        const { status, body } = await call(`${server.address}/v1/images/edits`, {
          body: { prompt: "noise 1", image: first.url, from_original: true, parent: "a" },
        });
        expect([status, body.notices]).toEqual([
          200,
          [
            "from_original is not known here and has no effect.",
            "parent is not known here and has no effect.",
          ],
        ]);
        expect(Object.keys(body)).not.toContain("parent");
      });
    },
  );
});
