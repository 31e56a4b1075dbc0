/** Results that are shown as data URLs: in the storage, not in the database's rows, however they are asked for. */
import { once } from "node:events";
import { readdir, readFile } from "node:fs/promises";
import { createServer } from "node:http";
import type { AddressInfo } from "node:net";
import path from "node:path";
import { afterAll, beforeAll, describe, expect, it } from "vitest";
import { postgresMissing } from "../support/databases.ts";
import { root } from "../support/fixtures.ts";
import { type DatabaseName, startTestService, type TestService, until } from "../support/service.ts";

const JOBS = 5;

describe.each<DatabaseName>(["PGlite", "PostgreSQL"])("results in base64 on %s", (database) => {
  describe.skipIf(database === "PostgreSQL" && postgresMissing !== undefined)(
    postgresMissing ?? "answers",
    () => {
      let server: TestService;
      let image: string;
      const received: string[] = [];
      const receiver = createServer(async (request, response) => {
        received.push(Buffer.concat((await request.toArray()) as Buffer[]).toString());
        response.end();
      });
      beforeAll(async () => {
        server = await startTestService({ database });
        image = (await readFile(path.join(root, "examples", "fox.png"))).toString("base64");
        receiver.listen(0, "127.0.0.1");
        await once(receiver, "listening");
      });
      afterAll(async () => {
        receiver.close();
        await server?.close();
      });

      const rowBytes = async (): Promise<Record<string, number>> => {
        const sizes: Record<string, number> = {};
        for (const table of ["jobs", "job_chunks", "webhook_deliveries"]) {
          const [row] = await server.service.data.database.query<{ bytes: number }>(
            `select coalesce(max(pg_column_size(one.*)), 0)::integer as bytes from "${server.schema}".${table} as one`,
          );
          sizes[table] = row!.bytes;
        }
        return sizes;
      };

      it("leave their rows small, and are the same wherever they are shown", async () => {
        const webhook = `http://127.0.0.1:${(receiver.address() as AddressInfo).port}/`;
        const body = {
          input: {
            prompt: "x",
            image,
            size: "1536*1536",
            num_inference_steps: 1,
            enable_base64_output: true,
            output_format: "png",
          },
          webhook,
        };
        const ids: string[] = [];
        for (let count = 0; count < JOBS; count += 1) ids.push((await server.call("/run", { body })).body.id);
        for (const id of ids) {
          const { body: ended } = await server.call(`/status-sync/${id}?wait=60000`);
          expect(ended.status).toBe("COMPLETED");
          const { image_url: url, result } = ended.output;
          expect(url).toMatch(/^data:image\/png;base64,iVBOR/);
          expect(result).toBe(url);
          const { body: stream } = await server.call(`/stream/${id}`);
          expect(stream.stream.at(-1).output).toEqual(ended.output);
        }
        await until(
          async () => received.length,
          (count) => count === JOBS,
        );
        const { body: shown } = await server.call(`/status/${ids[0]}`);
        expect(received.map((text) => JSON.parse(text)).find(({ id }) => id === ids[0])).toEqual(shown);
        const files = await readdir(path.join(server.folder, "files", "inline"));
        expect(files).toHaveLength(JOBS);
        const largest = Math.max(...Object.values(await rowBytes()));
        // The image alone has more.
        expect(shown.output.image_url.length).toBeGreaterThan(8192);
        expect(largest).toBeLessThan(4096);
        expect(largest).toBeGreaterThan(0);
      });

      it("leave no file behind when their jobs are gone", async () => {
        const { database: rows } = server.service.data;
        await rows.query(`update "${server.schema}".jobs set expires_at = expires_at - interval '40 days'`);
        await until(
          () => readdir(path.join(server.folder, "files", "inline")),
          (files) => files.length === 0,
        );
        expect(
          await rows.query(`select from "${server.schema}".pictures where result_of is not null`),
        ).toEqual([]);
      });
    },
  );
});
