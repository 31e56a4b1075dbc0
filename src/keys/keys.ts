/**
 * API keys in the database. A key is 192 random bits, so its plain SHA-256 is enough to recognise it and
 * reveals nothing about it; a lost key cannot be shown again.
 */
import { createHash, randomBytes, randomUUID } from "node:crypto";
import type { Database, Sql } from "../database/database.ts";
import { quoted } from "../database/migrations.ts";
import type { Events } from "../jobs/events.ts";
import { newsOf } from "../jobs/events.ts";
import { addWebhookSecret, createWebhookSecrets } from "../jobs/webhook-secrets.ts";
import type { ApiKey, Keys } from "./contracts.ts";
import { checkKeyName } from "./key-name.ts";
import { createKnownKeys, type KeySource, type KnownKey, type KnownKeysOptions } from "./known-keys.ts";

const KEY_BYTES = 24;
const KEY_MARK = "rtk_";
const PREFIX_CHARACTERS = 10;
/** What does not match was neither made here nor chosen by an operator, and needs no lookup. */
const KEY = /^[\x21-\x7e]{16,200}$/;

interface KeyRow {
  id: string;
  name: string;
  prefix: string;
  created_at: Date;
  revoked_at: Date | null;
}

type HashedRow = KeyRow & { hash: Buffer };

const COLUMNS = "id, name, prefix, created_at, revoked_at";

export interface StoredKeys extends Keys {
  /** Makes sure that this key, chosen by the operator, is known. A revoked one stays revoked. @returns its record */
  ensure(key: string, name: string): Promise<ApiKey>;
  close(): void;
}

export function createKeys(
  database: Database,
  events: Pick<Events, "on">,
  options: KnownKeysOptions = {},
): StoredKeys {
  const schema = quoted(database.schema);
  const active = `select ${COLUMNS}, hash from ${schema}.api_keys where revoked_at is null`;
  const source: KeySource = {
    readAll: async (limit) =>
      (await database.query<HashedRow>(`${active} limit $1`, [limit])).map(rowToKnown),
    read: async (hashes) => {
      const bytes = hashes.map((hash) => Buffer.from(hash, "base64"));
      return (await database.query<HashedRow>(`${active} and hash = any($1)`, [bytes])).map(rowToKnown);
    },
  };
  const known = createKnownKeys(source, options);
  const stopListening = events.on("key", undefined, known.forget);

  async function insert(sql: Sql, key: string, name: string): Promise<ApiKey | undefined> {
    const [row] = await sql.query<KeyRow>(
      `insert into ${schema}.api_keys (id, name, prefix, hash) values ($1, $2, $3, $4)
       on conflict (hash) do nothing returning ${COLUMNS}`,
      [
        `key_${randomUUID().replaceAll("-", "").slice(0, 16)}`,
        name,
        key.slice(0, PREFIX_CHARACTERS),
        hashOf(key),
      ],
    );
    return row && rowToKey(row);
  }

  async function find(key: string): Promise<ApiKey | undefined> {
    const [row] = await database.query<KeyRow>(`select ${COLUMNS} from ${schema}.api_keys where hash = $1`, [
      hashOf(key),
    ]);
    return row && rowToKey(row);
  }

  /** Announces a new or revoked key: it counts here at once, and elsewhere as soon as the news arrives. */
  const tell = (): Promise<unknown> => {
    known.forget();
    return database.query("select pg_notify($1, $2)", [`${database.schema}_events`, newsOf("key")]);
  };

  return {
    ...createWebhookSecrets(database),

    async create(name) {
      checkKeyName(name);
      const key = KEY_MARK + randomBytes(KEY_BYTES).toString("base64url");
      const created = await database.transaction(async (sql) => {
        const record = (await insert(sql, key, name))!;
        return { key, webhookSecret: await addWebhookSecret(sql, schema, record.id), record };
      });
      await tell();
      return created;
    },

    async ensure(key, name) {
      const made = await insert(database, key, name);
      if (made) await tell();
      return made ?? (await find(key))!;
    },

    async list() {
      const rows = await database.query<KeyRow>(
        `select ${COLUMNS} from ${schema}.api_keys order by created_at desc, id`,
      );
      return rows.map(rowToKey);
    },

    async revoke(id) {
      const rows = await database.query(
        `update ${schema}.api_keys set revoked_at = clock_timestamp() where id = $1 and revoked_at is null returning id`,
        [id],
      );
      await tell();
      return rows.length > 0;
    },

    verify: async (key) => (KEY.test(key) ? known.find(hashOf(key).toString("base64")) : undefined),

    close: stopListening,
  };
}

const hashOf = (key: string): Buffer => createHash("sha256").update(key).digest();

const rowToKnown = (row: HashedRow): KnownKey => [row.hash.toString("base64"), rowToKey(row)];

function rowToKey(row: KeyRow): ApiKey {
  return {
    id: row.id,
    name: row.name,
    prefix: row.prefix,
    createdAt: row.created_at,
    revokedAt: row.revoked_at ?? undefined,
  };
}
