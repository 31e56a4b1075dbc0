/**
 * The secrets that sign webhooks: one per API key, in the format of https://www.standardwebhooks.com. It is
 * stored in plain text, since a hash cannot sign. A replaced secret signs alongside the new one for a time,
 * so that receivers can switch to the new one without losing a webhook.
 */
import { randomBytes } from "node:crypto";
import type { Database, Sql } from "../database/database.ts";
import { quoted } from "../database/migrations.ts";
import { RetouchError } from "../errors.ts";

const MARK = "whsec_";
/** The minimum of the standard, and as many as an API key has. */
const SECRET_BYTES = 24;
/** Each adds a signature to the header of every webhook. */
const MAX_OLD = 4;
const MAX_KEEP_MS = 30 * 24 * 60 * 60_000;

export interface RotatedSecret {
  /** `whsec_` and base64; shown this once. */
  secret: string;
  /** Until when the previous secret signs as well; absent if there was none or it ended at once. */
  oldUntil?: Date | undefined;
}

export interface WebhookSecrets {
  /**
   * Makes a secret that signs from now on, and ends the previous one after a time.
   * @param keepMs 0 to 30 days; 0 ends all older ones at once
   * @returns undefined if there is no such key, or it is revoked
   * @throws RetouchError INVALID_PARAMETER if too many older ones still sign
   */
  rotateWebhookSecret(keyId: string, keepMs: number): Promise<RotatedSecret | undefined>;
  /** Ends the replaced secrets at once. @returns how many still signed; undefined if there is no such key */
  revokeOldWebhookSecrets(keyId: string): Promise<number | undefined>;
}

export function createWebhookSecrets(database: Database): WebhookSecrets {
  const schema = quoted(database.schema);
  return {
    async rotateWebhookSecret(keyId, keepMs) {
      if (!Number.isInteger(keepMs) || keepMs < 0 || keepMs > MAX_KEEP_MS) {
        throw new RetouchError(
          "INVALID_PARAMETER",
          "The time to keep the old webhook secret must be from 0 to 30 days.",
        );
      }
      return database.transaction(async (sql) => {
        // Two simultaneous rotations run one after the other.
        const known = await sql.query(
          `select id from ${schema}.api_keys where id = $1 and revoked_at is null for update`,
          [keyId],
        );
        if (known.length === 0) return undefined;
        const oldUntil = await retire(sql, schema, keyId, keepMs);
        return { secret: await addWebhookSecret(sql, schema, keyId), oldUntil };
      });
    },

    revokeOldWebhookSecrets: (keyId) =>
      database.transaction(async (sql) => {
        const known = await sql.query(`select id from ${schema}.api_keys where id = $1`, [keyId]);
        if (known.length === 0) return undefined;
        const ended = await sql.query<{ is_signing: boolean }>(
          `delete from ${schema}.webhook_secrets where key_id = $1 and ends_at is not null
           returning ends_at > clock_timestamp() as is_signing`,
          [keyId],
        );
        return ended.filter((row) => row.is_signing).length;
      }),
  };
}

/** Makes a key's newest secret; the key must not have another one without an end. */
export async function addWebhookSecret(sql: Sql, schema: string, keyId: string): Promise<string> {
  const secret = MARK + randomBytes(SECRET_BYTES).toString("base64");
  await sql.query(`insert into ${schema}.webhook_secrets (key_id, secret) values ($1, $2)`, [keyId, secret]);
  return secret;
}

/** The secrets that sign now, newest first. */
export async function signingSecrets(sql: Sql, schema: string, keyId: string): Promise<string[]> {
  const rows = await sql.query<{ secret: string }>(
    `select secret from ${schema}.webhook_secrets
      where key_id = $1 and coalesce(ends_at > clock_timestamp(), true) order by id desc`,
    [keyId],
  );
  return rows.map(({ secret }) => secret);
}

/** Deletes the secrets that have ended. */
export async function forgetWebhookSecrets(sql: Sql, schema: string): Promise<void> {
  await sql.query(`delete from ${schema}.webhook_secrets where ends_at <= clock_timestamp()`);
}

/** Gives the newest secret an end, or ends all secrets if `keepMs` is 0. @returns the end, if there is one */
async function retire(sql: Sql, schema: string, keyId: string, keepMs: number): Promise<Date | undefined> {
  const table = `${schema}.webhook_secrets`;
  if (keepMs === 0) {
    await sql.query(`delete from ${table} where key_id = $1`, [keyId]);
    return undefined;
  }
  const old = await sql.query(
    `select id from ${table} where key_id = $1 and ends_at > clock_timestamp() limit $2`,
    [keyId, MAX_OLD],
  );
  if (old.length === MAX_OLD) {
    throw new RetouchError(
      "INVALID_PARAMETER",
      `${MAX_OLD} older webhook secrets of ${keyId} still sign: \`retouch keys revoke-old-webhook-secrets ${keyId}\` ends them.`,
    );
  }
  const [retired] = await sql.query<{ ends_at: Date }>(
    `update ${table} set ends_at = clock_timestamp() + $2 * interval '1 millisecond'
      where key_id = $1 and ends_at is null returning ends_at`,
    [keyId, keepMs],
  );
  return retired?.ends_at;
}
