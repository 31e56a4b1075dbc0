/**
 * A service whose way to PostgreSQL loses every packet, without an end of any connection: calls are refused in
 * time, and all goes on by itself once packets arrive again.
 */
import { expect, it } from "vitest";
import { openLink } from "../../tools/link.ts";
import { databaseUrl, dropSchema, newSchema, postgresMissing } from "../support/databases.ts";
import { serve } from "../support/served.ts";
import { until } from "../support/service.ts";

const AWAY = { error: "The service is unavailable at the moment; try again later." };
/** Longer than any call may wait for the database: for a place, and for each of two statements. */
const signal = () => AbortSignal.timeout(30_000);

it("answers 503 while the database is silent, loses nothing, and stops even then", async ({ skip }) => {
  if (postgresMissing !== undefined) skip(postgresMissing);
  const schema = newSchema();
  const link = await openLink(databaseUrl);
  const server = await serve({
    DATABASE_URL: link.url,
    RETOUCH_DATABASE_SCHEMA: schema,
    RETOUCH_SHUTDOWN_DEADLINE: "2s",
  });
  let isStopped = false;
  try {
    const image = `${server.address}/examples/bluebird.png`;
    const input = { prompt: "Make it night", image, size: "256*256", num_inference_steps: 2 };
    const submit = (init = {}) => server.call("/run", { body: { input }, signal: signal(), ...init });
    const ready = async () => (await fetch(`${server.address}/readyz`, { signal: signal() })).status;
    await until(ready, (status) => status === 200, { patienceMs: 60_000 });
    const held = server.call("/runsync?wait=120000", {
      body: { input },
      signal: AbortSignal.timeout(100_000),
    });
    const { body: before } = await submit();
    // Its submission is over: what follows is about the wait.
    await until(
      () => server.call("/health"),
      ({ body: { jobs } }) => jobs.inQueue + jobs.inProgress + jobs.completed === 2,
      { patienceMs: 60_000 },
    );

    await link.set({ kind: "silent", loses: "everything" });
    const answers = await Promise.all([
      submit(),
      server.call(`/status/${before.id}`, { signal: signal() }),
      server.call("/health", { signal: signal() }),
    ]);
    for (const { status, body } of answers) expect([status, body]).toEqual([503, AWAY]);
    const readiness = await fetch(`${server.address}/readyz`, { signal: signal() });
    expect([readiness.status, await readiness.json()]).toEqual([
      503,
      { error: "The database does not answer." },
    ]);

    await link.set({ kind: "up" });
    await until(ready, (status) => status === 200, { patienceMs: 60_000 });
    const { body: after, status } = await submit();
    expect(status).toBe(200);
    for (const { id } of [before, after]) {
      await until(
        () => server.call(`/status/${id}`),
        ({ body }) => body.status === "COMPLETED",
        { patienceMs: 60_000 },
      );
    }
    expect((await held).body).toMatchObject({ status: "COMPLETED" });

    await link.set({ kind: "silent", loses: "everything" });
    const ended = server.end("SIGTERM");
    isStopped = true;
    await ended;
  } finally {
    if (!isStopped) await server.end("SIGKILL");
    await link.close();
    await dropSchema(schema);
  }
  // It waits for limits to pass, one after the other.
}, 300_000);
