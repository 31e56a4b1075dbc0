import { expect, it } from "vitest";
import { createLatestWriter } from "../../src/worker/latest-writer.ts";

it("writes one value at a time, and of those that came meanwhile the latest alone", async () => {
  const begun: number[] = [];
  let release = (): void => {};
  const writer = createLatestWriter((value: number) => {
    begun.push(value);
    return new Promise<void>((resolve) => (release = resolve));
  });
  for (const value of [1, 2, 3]) writer.write(value);
  expect(begun).toEqual([1]);
  release();
  await expect.poll(() => begun).toEqual([1, 3]);
  release();
  await writer.done();
  writer.write(4);
  expect(begun).toEqual([1, 3, 4]);
});
