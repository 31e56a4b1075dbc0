/**
 * Secrets from files: for a setting NAME that supports this, `NAME_FILE` names a file that holds its value,
 * which is how Docker, Kubernetes and systemd pass secrets. Environments end up in crash reports and `docker
 * inspect`.
 */
import { closeSync, openSync, readSync, statSync } from "node:fs";
import { type Failure, failure } from "../errors.ts";
import type { Setting, Settings } from "./setting.ts";

type Environment = Readonly<Record<string, string | undefined>>;

/** No secret comes near this size; a larger file was named by mistake. */
const MAX_BYTES = 65_536;

export interface SecretFiles {
  /** Contents of the files, by the variable of the setting. */
  values: Readonly<Record<string, string>>;
  /** One per file that gives no value; none shows a path, which may be a secret in the wrong variable. */
  problems: readonly Failure[];
}

/** The variable that names the file, if the setting may come from one. */
export const fileVariable = ({ variable, isFromFile }: Setting<unknown>): string | undefined =>
  isFromFile ? `${variable}_FILE` : undefined;

/** All variables that set it. */
export function variablesOf(setting: Setting<unknown>): string[] {
  const file = fileVariable(setting);
  return file === undefined ? [setting.variable] : [setting.variable, file];
}

/** Reads the file of each `NAME_FILE` that is set. An empty variable counts as not set. */
export function readSecretFiles(settings: Settings, environment: Environment): SecretFiles {
  const values: Record<string, string> = {};
  const problems: Failure[] = [];
  for (const setting of Object.values(settings)) {
    const name = fileVariable(setting);
    const file = name && environment[name];
    if (!name || !file) continue;
    if (environment[setting.variable]) {
      problems.push(failure("notTogether", { field: setting.variable, other: name }));
      continue;
    }
    const { text, problem } = readText(file);
    if (text === undefined) problems.push(failure("state", { field: name, sentence: `${problem}.` }));
    else values[setting.variable] = text;
  }
  return { values, problems };
}

type Read = { text: string; problem?: undefined } | { text?: undefined; problem: string };

/** The file's content without one trailing line break, or a problem, phrased to follow the variable. */
function readText(file: string): Read {
  let bytes: Buffer;
  try {
    // Opening a pipe would wait for a writer.
    if (!statSync(file).isFile()) return { problem: "must name a regular file, not a folder or a device" };
    bytes = readStart(file, MAX_BYTES + 1);
  } catch (error) {
    return {
      problem: isMissing(error)
        ? "must name a file that exists"
        : "must name a file that this process may read",
    };
  }
  if (bytes.length > MAX_BYTES) return { problem: `must name a file of at most ${MAX_BYTES / 1024} KB` };
  const text = utf8Of(bytes)?.replace(/\r?\n$/, "");
  if (text === undefined) return { problem: "must name a text file in UTF-8" };
  return text === "" ? { problem: "must name a file that is not empty" } : { text };
}

/** Reads at most `maxBytes`: the size that a file system reports may be too small, or 0. */
function readStart(file: string, maxBytes: number): Buffer {
  const buffer = Buffer.alloc(maxBytes);
  const descriptor = openSync(file, "r");
  try {
    let length = 0;
    for (;;) {
      const read = readSync(descriptor, buffer, length, maxBytes - length, null);
      length += read;
      if (read === 0 || length === maxBytes) return buffer.subarray(0, length);
    }
  } finally {
    closeSync(descriptor);
  }
}

function utf8Of(bytes: Buffer): string | undefined {
  try {
    return new TextDecoder("utf-8", { fatal: true }).decode(bytes);
  } catch {
    return undefined;
  }
}

const isMissing = (error: unknown): boolean => {
  const { code } = error as NodeJS.ErrnoException;
  return code === "ENOENT" || code === "ENOTDIR";
};
