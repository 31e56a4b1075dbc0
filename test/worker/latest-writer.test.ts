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

it("leaves out no value that is to be kept, whatever comes after it", async () => {
  const written: number[] = [];
  let release = (): void => {};
  const writer = createLatestWriter(
    (value: number) => {
      written.push(value);
      return new Promise<void>((resolve) => (release = resolve));
    },
    (value) => value % 10 === 0,
  );
  for (const value of [1, 2, 10, 11, 20, 21, 22]) writer.write(value);
  for (const count of [2, 3, 4]) {
    release();
    await expect.poll(() => written.length).toBe(count);
  }
  release();
  await writer.done();
  expect(written).toEqual([1, 10, 20, 22]);
});
