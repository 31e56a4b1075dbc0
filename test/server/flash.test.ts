/** Calls of Runpod's Python client 2.0, whose queues name the endpoint in a header. */
import { expect, it } from "vitest";
import { USUAL_TRAITS } from "../../src/server/schemas.ts";
import { createFakeJobs } from "./fakes.ts";
import { ENDPOINT, INPUT, KEY, startServer, type TestServer } from "./server.ts";

const ID = ENDPOINT.slice("/v2/".length);
const run = ({ inject }: TestServer, endpoint?: string, url = "/v2/flash/run") =>
  inject({
    method: "POST",
    url,
    headers: {
      authorization: `Bearer ${KEY}`,
      ...(endpoint !== undefined && { "x-flash-endpoint": endpoint }),
    },
    payload: { input: INPUT },
  });

it("reach the endpoint of the header", async () => {
  const jobs = createFakeJobs();
  const server = await startServer({}, { others: [{ id: "klein", jobs, model: USUAL_TRAITS }] });
  const { id } = (await run(server, "klein")).json<{ id: string }>();
  await run(server, ID, "/v2/flash/runsync?wait=1000");
  expect([jobs.submitted.length, server.jobs.submitted.length]).toEqual([1, 1]);
  const status = await server.inject({
    url: `/v2/flash/status/${id}`,
    headers: { authorization: `Bearer ${KEY}`, "x-flash-endpoint": "klein" },
  });
  expect(status.json()).toEqual({ id, status: "IN_QUEUE" });
});

it("find no endpoint that is not here, and need a key", async () => {
  const server = await startServer();
  for (const endpoint of [undefined, "nowhere", "../v1"]) {
    const response = await run(server, endpoint);
    expect([response.statusCode, response.json()]).toEqual([404, { error: "endpoint not found" }]);
  }
  const stranger = await server.inject({
    method: "POST",
    url: "/v2/flash/run",
    headers: { "x-flash-endpoint": ID },
    payload: { input: INPUT },
  });
  expect(stranger.statusCode).toBe(401);
});

it("leave an endpoint alone that has that name", async () => {
  const jobs = createFakeJobs();
  const server = await startServer({}, { others: [{ id: "flash", jobs, model: USUAL_TRAITS }] });
  await run(server, ID);
  expect([jobs.submitted.length, server.jobs.submitted.length]).toEqual([1, 0]);
});
