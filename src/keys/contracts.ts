/** API keys as the server and the command line see them. The key itself exists only in the moment it is made. */

export interface ApiKey {
  /** Short public name of the key, such as `key_3f9a1c0b7d52e846`. */
  id: string;
  /** What the operator calls it. */
  name: string;
  /** The first characters of the key, to recognise it by. */
  prefix: string;
  createdAt: Date;
  revokedAt?: Date | undefined;
}

export interface Keys {
  /** Makes a key. @returns it once, in clear */
  create(name: string): Promise<{ key: string; record: ApiKey }>;
  /** All keys, newest first, revoked ones too. */
  list(): Promise<ApiKey[]>;
  /** @returns whether there was such a key that was not revoked yet */
  revoke(id: string): Promise<boolean>;
  /**
   * The key's record, if it is known and not revoked. Answers from memory for a few seconds, for keys that there are not
   * as well; a revocation counts at once.
   */
  verify(key: string): Promise<ApiKey | undefined>;
}
