/**
 * API keys in the database. A key is 192 random bits, so its plain SHA-256 is enough to recognise it by and tells
 * nothing about it; nobody can show a key again that was lost.
 */
import { createHash, randomBytes, randomUUID } from "node:crypto";
import type { Database, Sql } from "../database/database.ts";
import { quoted } from "../database/migrations.ts";
import type { Events } from "../jobs/events.ts";
import { newsOf } from "../jobs/events.ts";
import { addWebhookSecret, createWebhookSecrets } from "../jobs/webhook-secrets.ts";
import type { ApiKey, Keys } from "./contracts.ts";
import { checkKeyName } from "./key-name.ts";

const KEY_BYTES = 24;
const KEY_MARK = "rtk_";
const PREFIX_CHARACTERS = 10;
/** Revocations are told at once; this is for a connection that broke in between. */
const CACHE_MS = 5000;
/** Wrong keys are remembered too, so that they cost no query each; this bounds the memory for it. */
const MAX_CACHED = 10_000;

interface KeyRow {
  id: string;
  name: string;
  prefix: string;
  created_at: Date;
  revoked_at: Date | null;
}

const COLUMNS = "id, name, prefix, created_at, revoked_at";

export interface StoredKeys extends Keys {
  /** Makes sure that this key, chosen by the operator, is known. A revoked one stays revoked. @returns its record */
  ensure(key: string, name: string): Promise<ApiKey>;
  close(): void;
}

export function createKeys(database: Database, events: Pick<Events, "on">): StoredKeys {
  const schema = quoted(database.schema);
  const cache = new Map<string, { record: Promise<ApiKey | undefined>; until: number }>();
  const stopListening = events.on("key", undefined, () => cache.clear());

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

  /** Also what says that a key exists may be remembered wrongly: both kinds of news clear the memory. */
  const tell = (): Promise<unknown> =>
    database.query("select pg_notify($1, $2)", [`${database.schema}_events`, newsOf("key")]);

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
      cache.clear();
      await tell();
      return rows.length > 0;
    },

    async verify(key) {
      const hash = hashOf(key).toString("base64");
      let known = cache.get(hash);
      if (known === undefined || known.until < performance.now()) {
        if (cache.size >= MAX_CACHED) cache.clear();
        known = { record: find(key), until: performance.now() + CACHE_MS };
        cache.set(hash, known);
        known.record.catch(() => cache.delete(hash));
      }
      const record = await known.record;
      return record?.revokedAt === undefined ? record : undefined;
    },

    close: stopListening,
  };
}

const hashOf = (key: string): Buffer => createHash("sha256").update(key).digest();

function rowToKey(row: KeyRow): ApiKey {
  return {
    id: row.id,
    name: row.name,
    prefix: row.prefix,
    createdAt: row.created_at,
    revokedAt: row.revoked_at ?? undefined,
  };
}
