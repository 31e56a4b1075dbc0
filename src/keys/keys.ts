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
import { invalid } from "../errors.ts";
import type { ApiKey, Keys, KeyTerms } from "./contracts.ts";
import { checkKeyName } from "./key-name.ts";
import { createLastUse } from "./last-use.ts";
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
  is_operator: boolean;
  safety_threshold: number | null;
  last_used_at?: Date | null;
}

type HashedRow = KeyRow & { hash: Buffer };

const COLUMNS = "id, name, prefix, created_at, revoked_at, is_operator, safety_threshold";

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
  const noteUse = createLastUse(database, schema);
  const stopListening = events.on("key", undefined, known.forget);

  async function insert(
    sql: Sql,
    key: string,
    name: string,
    { isOperator = false, safetyThreshold }: KeyTerms = {},
  ): Promise<ApiKey | undefined> {
    const [row] = await sql.query<KeyRow>(
      `insert into ${schema}.api_keys (id, name, prefix, hash, is_operator, safety_threshold)
       values ($1, $2, $3, $4, $5, $6)
       on conflict (hash) do nothing returning ${COLUMNS}`,
      [
        `key_${randomUUID().replaceAll("-", "").slice(0, 16)}`,
        name,
        key.slice(0, PREFIX_CHARACTERS),
        hashOf(key),
        isOperator,
        safetyThreshold,
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

    async create(name, terms) {
      checkKeyName(name);
      checkTerms(terms);
      const key = KEY_MARK + randomBytes(KEY_BYTES).toString("base64url");
      const created = await database.transaction(async (sql) => {
        const record = (await insert(sql, key, name, terms))!;
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
        `select ${COLUMNS}, last_used_at from ${schema}.api_keys order by created_at desc, id`,
      );
      return rows.map(rowToKey);
    },

    async update(id, terms) {
      checkTerms(terms);
      const { isOperator, safetyThreshold } = terms;
      const [row] = await database.query<KeyRow>(
        `update ${schema}.api_keys
            set is_operator = coalesce($2, is_operator),
                safety_threshold = case when $3 then $4::float8 else safety_threshold end
          where id = $1 and revoked_at is null returning ${COLUMNS}`,
        [id, isOperator, safetyThreshold !== undefined, safetyThreshold],
      );
      await tell();
      return row && rowToKey(row);
    },

    async revoke(id) {
      const rows = await database.query(
        `update ${schema}.api_keys set revoked_at = clock_timestamp() where id = $1 and revoked_at is null returning id`,
        [id],
      );
      await tell();
      return rows.length > 0;
    },

    async verify(key) {
      if (!KEY.test(key)) return undefined;
      const record = await known.find(hashOf(key).toString("base64"));
      if (record !== undefined) noteUse(record.id);
      return record;
    },

    close: stopListening,
  };
}

const hashOf = (key: string): Buffer => createHash("sha256").update(key).digest();

const rowToKnown = (row: HashedRow): KnownKey => [row.hash.toString("base64"), rowToKey(row)];

/** @throws RetouchError INVALID_PARAMETER */
function checkTerms({ safetyThreshold: given }: KeyTerms = {}): void {
  if (given === undefined || given === null || (given >= 0 && given <= 1)) return;
  throw invalid("range", { field: "safetyThreshold", wanted: "a number", min: 0, max: 1, given });
}

function rowToKey(row: KeyRow): ApiKey {
  return {
    id: row.id,
    name: row.name,
    prefix: row.prefix,
    createdAt: row.created_at,
    revokedAt: row.revoked_at ?? undefined,
    isOperator: row.is_operator || undefined,
    safetyThreshold: row.safety_threshold ?? undefined,
    lastUsedAt: row.last_used_at ?? undefined,
  };
}
