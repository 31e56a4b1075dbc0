import { expect } from "vitest";
import type { ErrorCode } from "../../src/errors.ts";
import { readImageSource, type ReadImageSourceOptions } from "../../src/images/source.ts";

/** Expects that a source is refused with this code and sentence. */
export async function expectUnread(
  source: string,
  code: ErrorCode,
  message: string | RegExp,
  options?: ReadImageSourceOptions,
): Promise<void> {
  const error = await readImageSource(source, options).then(
    () => expect.fail("it was read"),
    (thrown) => thrown,
  );
  if (typeof message === "string") expect(error.message).toBe(message);
  else expect(error.message).toMatch(message);
  expect(error.code).toBe(code);
}
