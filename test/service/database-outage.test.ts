/** A service whose PostgreSQL goes away and comes back: calls are told to try again, and work then. */
import { expect, it } from "vitest";
import { openLink } from "../../tools/link.ts";
import { databaseUrl, dropSchema, newSchema, postgresMissing } from "../support/databases.ts";
import { serve } from "../support/served.ts";
import { until } from "../support/service.ts";

const AWAY = { error: "The service is unavailable at the moment; try again later." };

it("answers 503 while the database is away, and goes on when it is back", async ({ skip }) => {
  if (postgresMissing !== undefined) skip(postgresMissing);
  const schema = newSchema();
  const link = await openLink(databaseUrl);
  const server = await serve({ DATABASE_URL: link.url, RETOUCH_DATABASE_SCHEMA: schema });
  try {
    const input = {
      prompt: "Make it night",
      image: `${server.address}/examples/bluebird.png`,
      size: "256*256",
    };
    const submit = () => server.call("/run", { body: { input: { ...input, num_inference_steps: 2 } } });
    const { body: before } = await submit();

    await link.set({ kind: "refused" });
    for (const answer of [
      await submit(),
      await server.call(`/status/${before.id}`),
      await server.call("/health"),
    ]) {
      expect([answer.status, answer.headers.get("retry-after"), answer.body]).toEqual([503, "5", AWAY]);
    }
    await link.set({ kind: "up" });

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
    await link.close();
    await dropSchema(schema);
  }
});
