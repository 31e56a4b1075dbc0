/**
 * Of several results, those that were finished outlive `kill -9` of the whole server: only the others are drawn, and all have
 * the bytes of an undisturbed run. The real engine and the shipped checkpoint, with the settings as they are.
 */
import { readdir } from "node:fs/promises";
import path from "node:path";
import { describe, expect, it, onTestFinished, vi } from "vitest";
import { usedDataFolder } from "../support/embedded.ts";
import { databaseUrl, dropSchema, newSchema, postgresMissing } from "../support/databases.ts";
import { serve, type Served, untilReady } from "../support/served.ts";
import { type Answer, type DatabaseName, until } from "../support/service.ts";
import { temporaryFolder } from "../support/temporary.ts";

// So many steps that there is time to kill the server within a result, also on a machine with nothing else to do.
const [NUM_STEPS, NUM_IMAGES] = [50, 4];
const KEY = "chosen-by-the-operator";
const PATIENCE = { patienceMs: 240_000 };
const GOES_ON = /The edit goes on after step (\d+) of 200\./;
// Each starts servers, engines included, one after the other.
vi.setConfig({ testTimeout: 600_000 });

async function settingsOn(database: DatabaseName): Promise<Record<string, string>> {
  const settings = { RETOUCH_API_KEY: KEY, RETOUCH_LOG_LEVEL: "info" };
  if (database === "PGlite") return { ...settings, RETOUCH_DATA_DIR: await usedDataFolder() };
  const schema = newSchema();
  onTestFinished(() => dropSchema(schema));
  return {
    ...settings,
    RETOUCH_DATA_DIR: await temporaryFolder(),
    DATABASE_URL: databaseUrl,
    RETOUCH_DATABASE_SCHEMA: schema,
  };
}

async function start(settings: Record<string, string>): Promise<Served> {
  const server = await serve(settings);
  onTestFinished(() => void server.end("SIGKILL"));
  await untilReady(server, PATIENCE);
  return server;
}

async function submit(server: Served): Promise<string> {
  const input = {
    prompt: "Make it night",
    image: `${server.address}/examples/bluebird.png`,
    size: "256*256",
    num_inference_steps: NUM_STEPS,
    num_images: NUM_IMAGES,
    seed: 7,
  };
  const { status, body } = await server.call("/run", { body: { input } });
  expect(status).toBe(200);
  return body.id as string;
}

/** Those that have their names. */
const statesIn = async (folder: string): Promise<string[]> =>
  (await readdir(path.join(folder, "files", "states")).catch(() => [])).filter(
    (name) => !name.startsWith("."),
  );

/** Waits for a state that a killed server has not left. @returns all */
const untilKept = (folder: string, known: readonly string[]): Promise<string[]> =>
  until(
    () => statesIn(folder),
    (names) => names.some((name) => !known.includes(name)),
    PATIENCE,
  );

async function resultsOf(server: Served, id: string): Promise<{ images: string[]; output: Answer["body"] }> {
  const { body } = await until(
    () => server.call(`/status/${id}`),
    ({ body: { status } }) => ["COMPLETED", "FAILED"].includes(status),
    PATIENCE,
  );
  expect(body).toMatchObject({ status: "COMPLETED" });
  const images: string[] = [];
  for (const { url } of body.output.images) {
    // The address is that of the server that took the job.
    const { pathname, search } = new URL(url);
    const response = await fetch(`${server.address}${pathname}${search}`);
    expect(response.status).toBe(200);
    images.push(Buffer.from(await response.arrayBuffer()).toString("base64"));
  }
  return { images, output: body.output };
}

describe.each<DatabaseName>(["PGlite", "PostgreSQL"])("several results on %s", (database) => {
  it("are drawn once each, though the server is killed twice, with the bytes of an undisturbed run", async ({
    skip,
  }) => {
    if (database === "PostgreSQL" && postgresMissing !== undefined) skip(postgresMissing);
    const settings = await settingsOn(database);
    const folder = settings["RETOUCH_DATA_DIR"]!;
    let server = await start(settings);
    const id = await submit(server);
    let known: string[] = [];
    const resumed: number[] = [];
    for (const _ of [1, 2]) {
      known = await untilKept(folder, known);
      // The row names the file a moment after it is there.
      await until(
        () => server.call(`/status/${id}`),
        ({ body }) => Number.parseInt(body.output?.progress ?? "0", 10) % NUM_STEPS > 1,
        PATIENCE,
      );
      await server.end("SIGKILL");
      server = await start(settings);
      const log = await until(
        async () => server.log(),
        (lines) => GOES_ON.test(lines) || lines.includes("starts from the beginning"),
        PATIENCE,
      );
      resumed.push(Number(GOES_ON.exec(log)?.[1]));
    }
    const { images, output } = await resultsOf(server, id);
    // A finished result each time, and more of them after the second.
    expect(resumed.map((step) => step % NUM_STEPS)).toEqual([0, 0]);
    expect(resumed[0]).toBeGreaterThan(0);
    expect(resumed[1]).toBeGreaterThan(resumed[0]!);
    expect(output.images.map(({ seed }: { seed: number }) => seed)).toEqual([7, 8, 9, 10]);
    expect(output.notices).toBeUndefined();
    const { total } = (await server.call("/usage")).body;
    expect(total).toEqual({ completed: 1, failed: 0, cost: output.cost });
    await until(
      () => statesIn(folder),
      (names) => names.length === 0,
    );

    const undisturbed = await resultsOf(server, await submit(server));
    expect(images).toEqual(undisturbed.images);
    expect(new Set(images).size).toBe(NUM_IMAGES);
    await server.end("SIGTERM");
  });
});
