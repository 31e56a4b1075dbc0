import { expect, it } from "vitest";
import { createOutage } from "../../src/worker/outage.ts";
import { recordedLog } from "./samples.ts";

it("passes results and failures on, and says once that the database is away and once that it is back", async () => {
  const { log, lines } = recordedLog();
  const outage = createOutage(log);
  const down = (): Promise<never> => Promise.reject(new Error("The connection is down."));
  expect(await outage.watch(async () => 1)).toBe(1);
  expect(lines).toEqual([]);
  for (let count = 0; count < 3; count += 1) {
    await expect(outage.watch(down)).rejects.toThrow("The connection is down.");
  }
  for (const answer of [false, undefined]) expect(await outage.watch(async () => answer)).toBe(answer);
  await expect(outage.watch(down)).rejects.toThrow("The connection is down.");
  expect(lines.map(({ level, msg }) => [level, msg])).toEqual([
    ["warn", "The database does not answer."],
    ["info", "The database answers again."],
    ["warn", "The database does not answer."],
  ]);
});
