/** Bodies share the event loop with everybody's calls. */
import { expect, it } from "vitest";
import { INPUT, startServer } from "./server.ts";

const BODIES = 40;

/** Counts turns of the event loop until `work` is done. */
async function turnsOf(work: Promise<unknown>): Promise<number> {
  let turns = 0;
  let next = setImmediate(function count() {
    turns += 1;
    next = setImmediate(count);
  });
  await work;
  clearImmediate(next);
  return turns;
}

it("parses large bodies that arrive at once in turns of their own, so that others come in between", async () => {
  const server = await startServer();
  const body = { input: { ...INPUT, filler: "x".repeat(200_000) } };
  const calls = Array.from({ length: BODIES }, () => server.call("POST", "/run", { body }));
  expect(await turnsOf(Promise.all(calls))).toBeGreaterThanOrEqual(BODIES);
  for (const call of calls) expect((await call).statusCode).toBe(200);
});
