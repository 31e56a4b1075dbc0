/** `retouch keys create | list | revoke`: API keys, beside a running server or without one. */
import { loadConfig } from "../config/config.ts";
import { RetouchError, shownValue } from "../errors.ts";
import type { KeysAdmin } from "../keys/admin.ts";
import { createLog } from "../log.ts";
import { withKeys } from "../service/keys.ts";
import { printText } from "./output.ts";

const MAX_NAME_LENGTH = 100;

/** Makes a key and prints it, the only time that it can be seen. */
export async function runKeysCreate(name: string, { json }: { json?: boolean }): Promise<void> {
  if (name.trim() === "" || name.length > MAX_NAME_LENGTH) {
    throw new RetouchError("INVALID_PARAMETER", `<name> must have 1 to ${MAX_NAME_LENGTH} characters.`);
  }
  const { key, record } = await withStoredKeys((keys) => keys.create(name));
  await print(
    json ? { ...record, key } : `${key}\nShown this once; only its hash is kept. Its id is ${record.id}.`,
  );
}

/** Prints all keys, none of them whole. */
export async function runKeysList({ json }: { json?: boolean }): Promise<void> {
  const records = await withStoredKeys((keys) => keys.list());
  if (json) return print(records);
  const lines = records.map(({ id, prefix, createdAt, revokedAt, name }) => {
    const state = revokedAt ? `revoked ${day(revokedAt)}` : "active";
    return `${id}  ${prefix}...  ${day(createdAt)}  ${state.padEnd(18)}  ${name}`;
  });
  await print(lines.length === 0 ? "There are no keys." : lines.join("\n"));
}

/** Ends a key at once. */
export async function runKeysRevoke(id: string): Promise<void> {
  if (!(await withStoredKeys((keys) => keys.revoke(id)))) {
    throw new RetouchError("INVALID_PARAMETER", `There is no active key with the id ${shownValue(id)}.`);
  }
  await print(`${id} is revoked.`);
}

async function withStoredKeys<Result>(work: (keys: KeysAdmin) => Promise<Result>): Promise<Result> {
  const config = loadConfig();
  return withKeys({ config, log: createLog({ level: "error" }) }, work);
}

const day = (date: Date): string => date.toISOString().slice(0, 10);

const print = (output: unknown): Promise<void> =>
  printText(process.stdout, `${typeof output === "string" ? output : JSON.stringify(output)}\n`);
