/** Two servers behind a load balancer, restarted one after the other under constant load. */
import { readFile } from "node:fs/promises";
import path from "node:path";
import { afterEach, describe, expect, it } from "vitest";
import { type Balancer, startBalancer } from "../support/balancer.ts";
import { databaseUrl, postgresMissing } from "../support/databases.ts";
import { root } from "../support/fixtures.ts";
import { freePort, serve, type Served } from "../support/served.ts";
import { call, ENDPOINT, KEY, startTestService, type TestService, until } from "../support/service.ts";

const CLIENTS = 6;

describe.skipIf(postgresMissing !== undefined)(postgresMissing ?? "a rolling restart", () => {
  const ends: (() => Promise<unknown>)[] = [];
  afterEach(async () => {
    for (const end of ends.splice(0).toReversed()) await end();
  });

  it("of two servers behind a balancer loses no call, and every job is done once", async () => {
    // The worker has a server of its own, which nobody calls: workers are restarted apart from servers.
    const worker: TestService = await startTestService({ database: "PostgreSQL" });
    ends.push(() => worker.close());
    const settings = {
      RETOUCH_DATA_DIR: worker.folder,
      RETOUCH_DATABASE_SCHEMA: worker.schema,
      DATABASE_URL: databaseUrl,
      RETOUCH_WORKERS: "0",
      RETOUCH_DRAIN_DELAY: "2s",
    };
    const ports = [String(await freePort()), String(await freePort())];
    const servers: Served[] = [];
    for (const port of ports) servers.push(await serve({ ...settings, RETOUCH_PORT: port }));
    ends.push(() => Promise.all(servers.map((server) => server.end("SIGKILL"))));
    const balancer: Balancer = await startBalancer(servers.map(({ address }) => address));
    ends.push(() => balancer.close());
    await until(
      async () => balancer.ready().length,
      (count) => count === 2,
    );

    const picture = (await readFile(path.join(root, "examples", "fox.png"))).toString("base64");
    const endpoint = `${balancer.address}/v2/${ENDPOINT}`;
    const body = { input: { prompt: "sleep 20", image: picture, size: "256*256", num_inference_steps: 1 } };
    const wrong: unknown[] = [];
    const completed: string[] = [];
    const over = new AbortController();
    const ask = async (to: string, init?: Parameters<typeof call>[1]) => {
      const answer = await call(`${endpoint}${to}`, { key: KEY, ...init });
      if (answer.status !== 200) wrong.push({ to, status: answer.status, body: answer.body });
      return answer;
    };
    const client = async (): Promise<void> => {
      while (!over.signal.aborted) {
        const { body: submitted } = await ask("/run", { body });
        const ended = await until(
          () => ask(`/status/${submitted.id}`),
          (answer) => answer.status !== 200 || answer.body.status === "COMPLETED",
        );
        if (ended.status !== 200) return;
        completed.push(submitted.id);
        await ask(`/status-sync/${submitted.id}`);
      }
    };
    const clients = Array.from({ length: CLIENTS }, client);
    const all = Promise.all(clients);
    for (const at of [0, 1]) {
      const before = completed.length;
      await until(
        async () => completed.length,
        (count) => count >= before + CLIENTS,
      );
      expect(await servers[at]!.end("SIGTERM")).toBe(143);
      servers[at] = await serve({ ...settings, RETOUCH_PORT: ports[at]! });
      await until(
        async () => balancer.ready().length,
        (count) => count === 2,
      );
    }
    over.abort();
    await all;
    expect(balancer.failures).toEqual([]);
    expect(wrong).toEqual([]);
    const { database } = worker.service.data;
    const done = await database.query<{ job_id: string }>(
      `select job_id from "${worker.schema}".usage where is_completed`,
    );
    expect(done.map((row) => row.job_id).toSorted()).toEqual(completed.toSorted());
    expect(completed.length).toBeGreaterThan(3 * CLIENTS);
  });
});
