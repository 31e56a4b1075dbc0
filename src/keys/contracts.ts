/** API keys as the server and the command line see them. The key itself is only known when it is made. */
import type { WebhookSecrets } from "../jobs/webhook-secrets.ts";

export interface ApiKey {
  /** Short public name of the key, such as `key_3f9a1c0b7d52e846`. */
  id: string;
  /** What the operator calls it. */
  name: string;
  /** The first characters of the key, to recognise it by. */
  prefix: string;
  createdAt: Date;
  revokedAt?: Date | undefined;
  /** Whether it may see and decide what concerns all keys. */
  isOperator?: true | undefined;
  /** Score from which its results are flagged, 0 to 1; without it, the one of the settings. */
  safetyThreshold?: number | undefined;
  /** To a minute, in lists alone; absent if it was never used. */
  lastUsedAt?: Date | undefined;
}

/** What an operator settles for a key. */
export interface KeyTerms {
  isOperator?: boolean | undefined;
  /** 0 to 1; null takes that of the settings again. */
  safetyThreshold?: number | null | undefined;
}

export interface CreatedKey {
  /** In plain text, only this once. */
  key: string;
  /** The secret that signs its webhooks. */
  webhookSecret: string;
  record: ApiKey;
}

export interface Keys extends WebhookSecrets {
  /**
   * Makes a key and the secret for its webhooks.
   * @param name 1 to 100 characters, none of them a control character
   * @throws RetouchError INVALID_PARAMETER for another name, or a threshold out of its range
   */
  create(name: string, terms?: KeyTerms): Promise<CreatedKey>;
  /** All keys, newest first, revoked ones too. */
  list(): Promise<ApiKey[]>;
  /**
   * Changes what is given of a key that is not revoked; counts at once, for jobs from their next run on.
   * @returns undefined if there is no such key
   * @throws RetouchError INVALID_PARAMETER for a threshold out of its range
   */
  update(id: string, terms: KeyTerms): Promise<ApiKey | undefined>;
  /** @returns whether there was such a key that had not been revoked */
  revoke(id: string): Promise<boolean>;
  /**
   * The key's record, if it is known and not revoked. Answers come from memory for a few seconds, also for
   * unknown keys; a revocation counts at once.
   */
  verify(key: string): Promise<ApiKey | undefined>;
}
