/** `retouch review` as a user runs it, beside a server, after it was killed, and without one. */
import { spawn } from "node:child_process";
import { once } from "node:events";
import { readFile, stat } from "node:fs/promises";
import { tmpdir } from "node:os";
import path from "node:path";
import { describe, expect, it } from "vitest";
import { databaseUrl, dropSchema, newSchema, postgresMissing } from "../support/databases.ts";
import { usedDataFolder } from "../support/embedded.ts";
import { root } from "../support/fixtures.ts";
import { environment, serve, type Served, untilReady } from "../support/served.ts";
import { type DatabaseName, until } from "../support/service.ts";
import { temporaryFolder } from "../support/temporary.ts";

const program = path.join(root, "bin", "retouch.js");

async function retouch(settings: Record<string, string>, ...args: string[]) {
  const child = spawn(process.execPath, [program, ...args], { cwd: tmpdir(), env: environment(settings) });
  const output = { stdout: "", stderr: "" };
  for (const name of ["stdout", "stderr"] as const) {
    child[name].on("data", (chunk: Buffer) => (output[name] += chunk.toString()));
  }
  const [code] = (await once(child, "close")) as [number | null];
  return { code, ...output };
}

describe.each<DatabaseName>(["PGlite", "PostgreSQL"])("retouch review on %s", (database) => {
  // A dozen programs of their own, three edits and two starts, on a machine that may do other things as well.
  const timeout = 300_000;
  it(
    "decides on held results beside a server and after its kill, which loses and releases none",
    { timeout },
    async ({ skip }) => {
      if (database === "PostgreSQL" && postgresMissing !== undefined) skip(postgresMissing);
      const schema = newSchema();
      const settings: Record<string, string> = {
        RETOUCH_DATA_DIR: database === "PGlite" ? await usedDataFolder() : await temporaryFolder(),
        RETOUCH_API_KEY: "chosen-by-the-operator",
        RETOUCH_SAFETY_FLAGGED: "hold",
        // The real checker gives every picture more than that.
        RETOUCH_SAFETY_THRESHOLD: "0.000001",
        ...(database === "PostgreSQL" ? { DATABASE_URL: databaseUrl, RETOUCH_DATABASE_SCHEMA: schema } : {}),
      };
      const review = (...args: string[]) => retouch(settings, "review", ...args);
      let server: Served = await serve(settings);
      try {
        await untilReady(server);
        const input = {
          prompt: "Make it night",
          image: `${server.address}/examples/bluebird.png`,
          size: "256*256",
          num_inference_steps: 1,
        };
        const ids: string[] = [];
        for (let count = 0; count < 3; count += 1) {
          ids.push((await server.call("/run", { body: { input: { ...input, seed: count } } })).body.id);
        }
        const [first, second, third] = ids as [string, string, string];
        const listed = async (): Promise<string[]> => {
          const { held } = JSON.parse((await review("list", "--json")).stdout) as {
            held: { jobId: string }[];
          };
          return held.map(({ jobId }) => jobId).toSorted();
        };
        await until(listed, (held) => held.length === 3);
        expect((await review("list")).stdout).toMatch(/ {2}score 0\.\d{3}\* of 0\.000001 {2}/);

        const folder = await temporaryFolder();
        const file = path.join(folder, "held.png");
        const shown = await review("show", first, "-o", file);
        expect(shown).toMatchObject({ code: 0, stderr: "" });
        expect(shown.stdout).toContain("instruction  Make it night");
        expect((await readFile(file)).subarray(1, 4).toString()).toBe("PNG");
        // No file is written over.
        expect((await review("show", first, "-o", file)).code).toBe(1);
        expect((await stat(file)).size).toBeGreaterThan(100);

        expect(await review("approve", first, "--reason", "A bird.")).toEqual({
          code: 0,
          stdout: `${first} is approved.\n`,
          stderr: "",
        });
        const { body } = await server.call(`/status/${first}`);
        expect(body.status).toBe("COMPLETED");
        expect(Buffer.from(await (await fetch(body.output.image_url)).arrayBuffer())).toEqual(
          await readFile(file),
        );

        await server.end("SIGKILL");
        // Without a server; PGlite's folder has no other owner now.
        expect(await review("reject", second)).toMatchObject({ code: 0, stdout: `${second} is rejected.\n` });
        server = await serve({ ...settings, RETOUCH_PORT: new URL(server.address).port });
        await untilReady(server);
        expect(await server.call(`/status/${second}`)).toMatchObject({ body: { status: "FAILED" } });
        expect(await server.call(`/status/${third}`)).toMatchObject({ body: { status: "IN_PROGRESS" } });
        expect(await listed()).toEqual([third]);

        const again = await review("approve", second);
        expect(again.code).toBe(1);
        expect(again.stderr).toMatch(
          /^retouch: The review of this job is over: rejected at \S+Z by .+ at the command line\.\n$/,
        );
        expect(await review("approve", "nobody")).toEqual({
          code: 2,
          stdout: "",
          stderr: 'retouch: No result of a job with the id "nobody" waits for a decision.\n',
        });
        const { stdout: log } = await review("log");
        expect(log.split("\n").filter((line) => / {2}held {5} {2}safety checker/.test(line))).toHaveLength(3);
        expect(log).toMatch(
          new RegExp(`${first}  approved   .* at the command line {2}score .* {2}A bird\\.`),
        );
        expect((await review("log", second)).stdout.split("\n")).toHaveLength(3);
        expect((await server.call("/usage")).body.total).toMatchObject({ completed: 1, failed: 1 });
      } finally {
        await server.end("SIGTERM");
        if (database === "PostgreSQL") await dropSchema(schema);
      }
    },
  );
});
