import { expect, it } from "vitest";
import { measureThroughput } from "../../src/server/throughput.ts";

const OPTIONS = { leastBytesPerSecond: 1000, maxPauseMs: 10_000 };
const start = () => measureThroughput(OPTIONS, { bytes: 500, now: 0 });

it("finds a transfer slow that pauses for too long, however much came before", () => {
  const throughput = start();
  expect(throughput.isSlow(1_000_000, 1000)).toBe(false);
  expect(throughput.isSlow(1_000_000, 10_999)).toBe(false);
  expect(throughput.isSlow(1_000_000, 11_000)).toBe(true);
});

it("finds a transfer slow that never begins", () => {
  const throughput = start();
  expect(throughput.isSlow(500, 9999)).toBe(false);
  expect(throughput.isSlow(500, 10_000)).toBe(true);
});

it.each([
  [1000, false],
  [1100, false],
  [900, true],
  [1, true],
])("looks at the average: %i bytes a second for an hour are too few: %s", (perSecond, isSlow) => {
  const throughput = start();
  let found = false;
  for (let second = 1; second <= 3600; second += 1) {
    found ||= throughput.isSlow(500 + second * perSecond, second * 1000);
  }
  expect(found).toBe(isSlow);
});

it("takes bytes that come in steps", () => {
  const throughput = start();
  for (let step = 1; step < 100; step += 1) {
    for (let second = 1; second <= 9; second += 1) {
      const bytes = 500 + (step - 1) * 9000 + (second === 9 ? 9000 : 0);
      expect(throughput.isSlow(bytes, ((step - 1) * 9 + second) * 1000)).toBe(false);
    }
  }
});

it("does not count time in which nobody looked", () => {
  const throughput = start();
  throughput.skip(60_000);
  expect(throughput.isSlow(500, 69_999)).toBe(false);
  expect(throughput.isSlow(500, 70_000)).toBe(true);
});
