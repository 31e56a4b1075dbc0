/**
 * The keys that sign receipts, the same for all programs on a database: one is made at the first start, unless the
 * settings have one. Every public key that has signed here stays known, so that older receipts still count.
 */
import type { Database } from "../database/database.ts";
import { quoted } from "../database/migrations.ts";
import { createKeyPem, type PublicJwk, readPublicKeys, readSigningKey } from "../receipts/keys.ts";

export interface ReceiptKeys {
  /** Signs from now on: PKCS #8 in PEM. */
  pem: string;
  /** All that count, the one that signs here first. */
  published(): Promise<readonly PublicJwk[]>;
}

export interface ReceiptKeySettings {
  /** Signs in place of the database's own. */
  receiptKey?: string | undefined;
  /** Ids of keys that do not count any more. */
  revokedReceiptKeys?: readonly string[] | undefined;
}

const PRIVATE = "receipt-key";
const PUBLIC = "receipt-key:";
/** Anybody may ask for them. */
const FRESH_MS = 5000;

export async function openReceiptKeys(
  database: Database,
  { receiptKey, revokedReceiptKeys = [] }: ReceiptKeySettings,
): Promise<ReceiptKeys> {
  const table = `${quoted(database.schema)}.secrets`;
  const keep = (name: string, value: string): Promise<unknown> =>
    database.query(`insert into ${table} values ($1, $2) on conflict do nothing`, [name, value]);
  const pem = receiptKey ?? (await ownKey());
  const { publicJwk } = readSigningKey(pem)!;
  await keep(PUBLIC + publicJwk.kid, JSON.stringify(publicJwk));

  async function ownKey(): Promise<string> {
    const find = (): Promise<{ value: string }[]> =>
      database.query<{ value: string }>(`select value from ${table} where name = $1`, [PRIVATE]);
    if ((await find()).length === 0) await keep(PRIVATE, createKeyPem());
    const [row] = await find();
    return row!.value;
  }

  async function read(): Promise<readonly PublicJwk[]> {
    const rows = await database.query<{ value: string }>(
      `select value from ${table} where name like $1 order by name`,
      [`${PUBLIC}%`],
    );
    const keys = rows.flatMap(({ value }) => readPublicKeys(value));
    const others = keys.filter(({ kid }) => kid !== publicJwk.kid);
    return [publicJwk, ...others].filter(({ kid }) => !revokedReceiptKeys.includes(kid));
  }

  let latest: { at: number; keys: Promise<readonly PublicJwk[]> } | undefined;
  return {
    pem,
    published() {
      if (latest === undefined || performance.now() - latest.at > FRESH_MS) {
        latest = { at: performance.now(), keys: read() };
        latest.keys.catch(() => (latest = undefined));
      }
      return latest.keys;
    },
  };
}
