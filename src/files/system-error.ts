/** The code of a failed system call or connection, such as "ENOENT"; `undefined` for anything else. */
export function systemErrorCode(error: unknown): string | undefined {
  return error instanceof Error && "code" in error && typeof error.code === "string" ? error.code : undefined;
}

/** For `catch`: undefined where there is no such file, and the error for any other reason. */
export function ifMissing(error: unknown): undefined {
  if (systemErrorCode(error) === "ENOENT") return undefined;
  throw error;
}

/** The same where what should be a folder on the way to it is a file. */
export function ifNothingThere(error: unknown): undefined {
  if (systemErrorCode(error) === "ENOTDIR") return undefined;
  return ifMissing(error);
}
