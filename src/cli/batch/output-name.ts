/** Names of results: what a file of edits may say, so that nothing is written outside the output folder. */
import { invalid, type RetouchError, shownValue } from "../../errors.ts";
import { LIMITS } from "./limits.ts";

/** Holds the journal, in the output folder. */
export const JOURNAL_FOLDER = ".retouch-batch";
/** In the output folder. */
export const SUMMARY = "retouch-batch.csv";
/** Names that temporary files and the journal have. */
const OWN_PREFIX = ".retouch-";
const DRIVE = /^[a-z]:/i;

/**
 * A path below the output folder, with `/` between folders on every system.
 * @throws RetouchError INVALID_PARAMETER about `output`
 */
export function checkOutputName(given: unknown): string {
  if (typeof given !== "string" || given === "") throw wrong("a path in the output folder", given);
  if (given.length > LIMITS.output) {
    throw invalid("tooLong", { field: "output", max: LIMITS.output, count: given.length });
  }
  // oxlint-disable-next-line no-control-regex -- names with such characters break lines and terminals
  if (/[\u0000-\u001F\u007F\\]/.test(given)) {
    throw wrong("a path with / between folders, and without \\ and control characters", given);
  }
  const parts = given.split("/");
  if (parts.some((part) => part === "" || part === "." || part === "..") || DRIVE.test(given)) {
    throw wrong("a path in the output folder, without . and ..", given);
  }
  if (parts.some((part) => Buffer.byteLength(part) > LIMITS.outputPart)) {
    throw wrong(`a path whose parts have at most ${LIMITS.outputPart} bytes`, given);
  }
  const isOwn = parts.some((part) => sameName(part).startsWith(OWN_PREFIX));
  if (isOwn || sameName(given) === SUMMARY)
    throw wrong("a name that the batch does not use for itself", given);
  return given;
}

/** Equal for names that are one file on some system: macOS and Windows ignore case, macOS forms of accents. */
export const sameName = (name: string): string => name.normalize("NFC").toLowerCase();

const wrong = (choices: string, given: unknown): RetouchError =>
  invalid("oneOf", { field: "output", choices, given: shownValue(given) });
