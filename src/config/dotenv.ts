/**
 * Reads `.env` in the working folder, for the commands of the service. It is read line by line: a malformed
 * line would otherwise swallow the next one (`util.parseEnv` reads `A 1\nB=2` as one name), and no setting
 * has more than one line.
 */
import { readFileSync, statSync } from "node:fs";
import path from "node:path";
import { parseEnv } from "node:util";
import { type Failure, failure, RetouchError } from "../errors.ts";

export interface DotenvFile {
  /** Our own settings, and what looks like one. */
  own: Record<string, string>;
  /** What the AWS SDK, Hugging Face's tools and CUDA read in this process and in those it starts. */
  others: Record<string, string>;
}

const NAME = ".env";
const MAX_BYTES = 1024 * 1024;
const OWN = /^(?:RETOUCH_|DATABASE_URL)/;
const OTHERS =
  /^(?:(?:AWS|HF)_[A-Z0-9_]+|HUGGING_FACE_HUB_TOKEN|HUGGINGFACE_HUB_CACHE|XDG_CACHE_HOME|CUDA_VISIBLE_DEVICES)$/;
/** A name at the start of a line; what follows may be something other than =. */
const LINE = /^(?:export\s+)?([A-Za-z_][A-Za-z0-9_]*)\s*(=?)([^]*)$/;
const REASONS: Readonly<Record<string, string>> = {
  EACCES: "permission is denied",
  EPERM: "permission is denied",
  EISDIR: "it is a folder",
  ELOOP: "its symbolic links go round in a circle",
};

/**
 * Reads a folder's `.env`; a missing file counts as empty. Variables of other programs, such as Docker
 * Compose's, are left out.
 * @throws RetouchError CONFIG_INVALID for a file that cannot be read, and for a line of ours that can be misread
 */
export function readDotenv(folder: string): DotenvFile {
  const found: DotenvFile = { own: {}, others: {} };
  const text = textOf(path.join(folder, NAME));
  const problems: Failure[] = [];
  for (const [index, raw] of text.split(/\r\n|\r|\n/).entries()) {
    const [, name, sign, rest = ""] = LINE.exec(raw.trim()) ?? [];
    if (name === undefined) continue;
    const value = rest.trimStart();
    const place = OWN.test(name) ? found.own : OTHERS.test(name) ? found.others : undefined;
    if (place === undefined) continue;
    const problem = sign === "" ? `has no = after ${name}` : valueProblem(name, value);
    if (problem !== undefined) problems.push(failure("dotenvLine", { line: index + 1, fault: problem }));
    else place[name] = parseEnv(`${name}=${value}`)[name] ?? "";
  }
  if (problems.length > 0) throw new RetouchError("CONFIG_INVALID", problems);
  return found;
}

/** Finds what shells, Docker Compose and Node read differently, and what would be silently cut off here. */
function valueProblem(name: string, value: string): string | undefined {
  const quote = /^["'`]/.exec(value)?.[0];
  if (quote !== undefined) {
    return value.includes(quote, 1)
      ? undefined
      : `has an opening quote before the value of ${name} but no closing one`;
  }
  const comment = value.search(/\s#/);
  return /[^\s]#/.test(comment === -1 ? value : value.slice(0, comment))
    ? `has a # in the value of ${name}, which must then be in quotes`
    : undefined;
}

function textOf(file: string): string {
  try {
    const stats = statSync(file, { throwIfNoEntry: false });
    if (stats === undefined) return "";
    if (stats.size > MAX_BYTES) throw unreadable("it has more than a megabyte");
    // The decoder drops a byte order mark.
    return new TextDecoder("utf-8", { fatal: true }).decode(readFileSync(file));
  } catch (error) {
    if (error instanceof RetouchError) throw error;
    const { code = "" } = error as NodeJS.ErrnoException;
    if (code === "ERR_ENCODING_INVALID_ENCODED_DATA") throw unreadable("it is not text in UTF-8", error);
    throw unreadable(REASONS[code] ?? code, error);
  }

  function unreadable(reason: string, cause?: unknown): RetouchError {
    return new RetouchError("CONFIG_INVALID", `${file} cannot be read: ${reason}.`, { cause });
  }
}
