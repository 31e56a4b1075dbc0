/** A service whose PostgreSQL goes away and comes back: calls are told to try again, and work then. */
import { setTimeout as delay } from "node:timers/promises";
import { expect, it } from "vitest";
import { databaseUrl, dropSchema, newSchema, postgresMissing } from "../support/databases.ts";
import { serve } from "../support/served.ts";
import { startTestService, until } from "../support/service.ts";
import { startTcpProxy } from "../support/tcp-proxy.ts";

const AWAY = { error: "The service cannot answer now; try again later." };

it("answers 503 while the database is away, and goes on when it is back", async ({ skip }) => {
  if (postgresMissing !== undefined) skip(postgresMissing);
  const schema = newSchema();
  const proxy = await startTcpProxy(databaseUrl);
  const server = await serve({ DATABASE_URL: proxy.url, RETOUCH_DATABASE_SCHEMA: schema });
  try {
    const input = {
      prompt: "Make it night",
      image: `${server.address}/examples/bluebird.png`,
      size: "256*256",
    };
    const submit = () => server.call("/run", { body: { input: { ...input, num_inference_steps: 2 } } });
    const { body: before } = await submit();

    await proxy.cut();
    for (const answer of [
      await submit(),
      await server.call(`/status/${before.id}`),
      await server.call("/health"),
    ]) {
      expect([answer.status, answer.headers.get("retry-after"), answer.body]).toEqual([503, "5", AWAY]);
    }
    await proxy.restore();

    const { status, body: after } = await submit();
    expect(status).toBe(200);
    for (const { id } of [before, after]) {
      await until(
        () => server.call(`/status/${id}`),
        ({ body }) => body.status === "COMPLETED",
        { patienceMs: 60_000 },
      );
    }
  } finally {
    await server.end("SIGTERM");
    await proxy.cut();
    await dropSchema(schema);
  }
});

it("takes no job from a worker that is alive, though the database was away for longer than a lease", async ({
  skip,
}) => {
  if (postgresMissing !== undefined) skip(postgresMissing);
  const proxy = await startTcpProxy(databaseUrl);
  const service = await startTestService({
    database: "PostgreSQL",
    settings: {
      DATABASE_URL: proxy.url,
      // The supervisor, which looks every second, is back before the worker.
      RETOUCH_LEASE: "8s",
      RETOUCH_LEASE_RENEWAL: "4s",
      // A second run would be one too many.
      RETOUCH_MAX_ATTEMPTS: "1",
    },
  });
  try {
    const image = `${service.address}/examples/bluebird.png`;
    const input = { prompt: "sleep 20000", image, size: "256*256", num_inference_steps: 2 };
    const { body: job } = await service.call("/run", { body: { input } });
    const status = async (): Promise<string> => (await service.call(`/status/${job.id}`)).body.status;
    await until(status, (now) => now === "IN_PROGRESS");
    await proxy.cut();
    await delay(10_000);
    await proxy.restore();
    await until(status, (now) => now !== "IN_PROGRESS" && now !== undefined);
    expect(await status()).toBe("COMPLETED");
  } finally {
    await service.close();
    await proxy.cut();
  }
});
