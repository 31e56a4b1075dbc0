/** `retouch keys create | list | revoke` and those for webhook secrets, with or without a running server. */
import { loadConfig } from "../config/config.ts";
import { decimal, duration } from "../config/parsers.ts";
import { invalid, RetouchError, shownValue } from "../errors.ts";
import type { KeysAdmin } from "../keys/admin.ts";
import type { ApiKey, KeyTerms } from "../keys/contracts.ts";
import { checkKeyName } from "../keys/key-name.ts";
import { createLog } from "../log.ts";
import { withKeys } from "../service/keys.ts";
import { printText } from "./output.ts";
import { oneLine } from "./report.ts";
import { type ServiceFlags, withServiceFlags } from "./service-flags.ts";

/** Far longer than any id, and short enough for a sentence. */
const MAX_ID_LENGTH = 100;
const MAX_SHOWN_NAME = 100;
const KEEP = duration("0s", "30d");
const DEFAULT_KEEP = "24h";

/** The flags as commander passes them. */
export type KeysFlags = ServiceFlags & { json?: boolean };
/** Those that settle what a key may do. */
export type TermsFlags = { operator?: boolean | undefined; safetyThreshold?: string | undefined };

/** Makes a key and prints it with its webhook secret, the only time that they can be seen. */
export async function runKeysCreate(
  name: string,
  { operator, safetyThreshold, ...flags }: KeysFlags & TermsFlags,
): Promise<void> {
  checkKeyName(name);
  const terms = termsOf({ operator, safetyThreshold });
  const { key, webhookSecret, record } = await withStoredKeys(flags, (keys) => keys.create(name, terms));
  await print(
    flags.json
      ? { ...record, key, webhookSecret }
      : `${key}\nShown only once; only its hash is stored. Its id is ${record.id}.\n` +
          `Its webhooks are signed with ${webhookSecret}, which is not shown again either.`,
  );
}

/** Changes what a key may do, and prints how it is now. */
export async function runKeysUpdate(
  id: string,
  { operator, safetyThreshold, ...flags }: KeysFlags & TermsFlags,
): Promise<void> {
  checkId(id);
  const terms = termsOf({ operator, safetyThreshold });
  if (Object.values(terms).every((value) => value === undefined)) {
    throw invalid("missing", { field: "--operator, --no-operator or --safety-threshold" });
  }
  const record = await withStoredKeys(flags, (keys) => keys.update(id, terms));
  if (record === undefined) throw noKey(id, "active key");
  await print(flags.json ? record : `${id} is ${termsText(record)}.`);
}

const DEFAULT_THRESHOLD = "default";
const THRESHOLD = decimal(0, 1);

/** @throws RetouchError INVALID_PARAMETER */
function termsOf({ operator: isOperator, safetyThreshold: given }: TermsFlags): KeyTerms {
  if (given === undefined) return { isOperator };
  if (given === DEFAULT_THRESHOLD) return { isOperator, safetyThreshold: null };
  const safetyThreshold = THRESHOLD.parse(given);
  if (safetyThreshold !== undefined) return { isOperator, safetyThreshold };
  const wanted = `${THRESHOLD.accepts}, or ${DEFAULT_THRESHOLD}`;
  throw invalid("type", { field: "--safety-threshold", wanted });
}

function termsText({ isOperator, safetyThreshold }: ApiKey): string {
  const role = isOperator ? "an operator's key" : "a client's key";
  return safetyThreshold === undefined
    ? `${role}, with the safety threshold of the settings`
    : `${role}, with the safety threshold ${safetyThreshold}`;
}

/** Prints all keys, none of them in full. */
export async function runKeysList(flags: KeysFlags): Promise<void> {
  const records = await withStoredKeys(flags, (keys) => keys.list());
  if (flags.json) return print(records);
  const lines = records.map(({ id, prefix, createdAt, revokedAt, name, isOperator }) => {
    const state = revokedAt ? `revoked ${day(revokedAt)}` : isOperator ? "operator" : "active";
    // Earlier versions did not check names.
    const shown = oneLine(name.slice(0, MAX_SHOWN_NAME));
    return `${id}  ${prefix}...  ${day(createdAt)}  ${state.padEnd(18)}  ${shown}`;
  });
  await print(lines.length === 0 ? "There are no keys." : lines.join("\n"));
}

/** Revokes a key at once. */
export async function runKeysRevoke(id: string, flags: KeysFlags): Promise<void> {
  checkId(id);
  const isRevoked = await withStoredKeys(flags, (keys) => keys.revoke(id));
  if (!isRevoked) throw noKey(id, "active key");
  await print(`${id} is revoked.`);
}

/** Makes a new secret for a key's webhooks and prints it, the only time that it can be seen. */
export async function runRotateWebhookSecret(
  id: string,
  { json, keep = DEFAULT_KEEP, ...flags }: KeysFlags & { keep?: string },
): Promise<void> {
  checkId(id);
  const keepMs = KEEP.parse(keep);
  if (keepMs === undefined) throw invalid("type", { field: "--keep", wanted: KEEP.accepts });
  const rotated = await withStoredKeys(flags, (keys) => keys.rotateWebhookSecret(id, keepMs));
  if (rotated === undefined) throw noKey(id, "active key");
  const { secret, oldUntil } = rotated;
  const old =
    oldUntil && `The previous secret also signs until ${oldUntil.toISOString().replace(/\.\d+Z$/, "Z")}.`;
  await print(
    json
      ? { id, webhookSecret: secret, oldUntil }
      : [
          secret,
          "Shown only once. It signs the webhooks of this key from now on.",
          ...(old ? [old] : []),
        ].join("\n"),
  );
}

/** Ends the replaced secrets of a key's webhooks at once. */
export async function runRevokeOldWebhookSecrets(id: string, flags: KeysFlags): Promise<void> {
  checkId(id);
  const ended = await withStoredKeys(flags, (keys) => keys.revokeOldWebhookSecrets(id));
  if (ended === undefined) throw noKey(id, "key");
  await print(
    ended === 0 ? `${id} had no old webhook secrets.` : `The old webhook secrets of ${id} no longer sign.`,
  );
}

function withStoredKeys<Result>(
  flags: ServiceFlags,
  work: (keys: KeysAdmin) => Promise<Result>,
): Promise<Result> {
  return withServiceFlags(flags, (variables) =>
    withKeys({ config: loadConfig(variables), log: createLog({ level: "error" }) }, work),
  );
}

function checkId(id: string): void {
  if (id.length > MAX_ID_LENGTH) {
    throw invalid("tooLong", { field: "<id>", max: MAX_ID_LENGTH, count: id.length });
  }
}

const noKey = (id: string, what: string): RetouchError =>
  new RetouchError("INVALID_PARAMETER", `There is no ${what} with the id ${shownValue(id)}.`);

const day = (date: Date): string => date.toISOString().slice(0, 10);

const print = (output: unknown): Promise<void> =>
  printText(process.stdout, `${typeof output === "string" ? output : JSON.stringify(output)}\n`);
