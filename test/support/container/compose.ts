/** Reads a compose file as `docker compose` does, with its variables: https://docs.docker.com/reference/compose-file/ */
import { readFile } from "node:fs/promises";
import path from "node:path";
import { parse } from "yaml";
import { root } from "../fixtures.ts";

export interface ComposeFile {
  readonly services: Readonly<Record<string, Service>>;
  readonly secrets?: Readonly<Record<string, { readonly file: string }>>;
  readonly networks?: Readonly<Record<string, { readonly internal?: boolean } | null>>;
}

export interface Service {
  readonly image: string;
  readonly build?: string;
  readonly user?: string;
  readonly entrypoint?: readonly string[];
  readonly command?: readonly string[];
  readonly environment: Readonly<Record<string, string>>;
  readonly ports?: readonly string[];
  readonly volumes?: readonly string[];
  readonly tmpfs?: readonly string[];
  readonly secrets?: readonly string[];
  readonly networks?: readonly string[];
  readonly read_only?: boolean;
  readonly cap_drop?: readonly string[];
  readonly cap_add?: readonly string[];
  readonly privileged?: boolean;
  readonly security_opt?: readonly string[];
  readonly mem_limit?: string;
  readonly pids_limit?: number;
  readonly init?: boolean;
}

/** @throws Error as compose does, where a variable that has to be set is not */
export async function readCompose(
  file: string,
  environment: Readonly<Record<string, string>> = {},
): Promise<ComposeFile> {
  const text = await readFile(path.join(root, file), "utf8");
  return withVariables(parse(text, { merge: true }), environment) as ComposeFile;
}

/** Puts variables into every text. Of the forms of them, it knows those that our files have. */
function withVariables(value: unknown, environment: Readonly<Record<string, string>>): unknown {
  if (Array.isArray(value)) return value.map((entry) => withVariables(entry, environment));
  if (typeof value === "object" && value !== null) {
    return Object.fromEntries(
      Object.entries(value).map(([key, entry]) => [key, withVariables(entry, environment)]),
    );
  }
  if (typeof value !== "string") return value;
  return value.replace(/\$(?:(\$)|\{(\w+):([-?])([^${}]*)\}|)/g, (form, dollar, name, kind, rest: string) => {
    if (dollar) return "$";
    if (name === undefined) throw new Error(`The test does not know what ${form} in ${value} stands for.`);
    const given = environment[name as string];
    if (given) return given;
    if (kind === "?") throw new Error(`required variable ${name} is missing a value: ${rest}`);
    return rest;
  });
}

/** Bytes, from a size such as `4g`. */
export function bytesOf(size: string): number {
  const [, digits, unit] = /^(\d+)([kmg])$/.exec(size) ?? [];
  if (unit === undefined) throw new Error(`${size} is no size.`);
  return Number(digits) * 1024 ** ("kmg".indexOf(unit) + 1);
}
