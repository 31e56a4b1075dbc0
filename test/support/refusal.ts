import { expect } from "vitest";
import type { ErrorCode } from "../../src/errors.ts";

/** Matches a RetouchError with this code and this sentence, whole or as a pattern. */
export const refusal = (code: ErrorCode, message: string | RegExp): unknown =>
  expect.objectContaining({
    name: "RetouchError",
    code,
    message: typeof message === "string" ? message : expect.stringMatching(message),
  });
