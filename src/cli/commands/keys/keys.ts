/** `retouch keys`: the commands under it. */
import type { CommandGroup } from "../command.ts";
import { KEYS_CREATE } from "./create.ts";
import { KEYS_CREATE_RECEIPT_KEY } from "./create-receipt-key.ts";
import { KEYS_LIST } from "./list.ts";
import { KEYS_REVOKE } from "./revoke.ts";
import { KEYS_REVOKE_OLD } from "./revoke-old-webhook-secrets.ts";
import { KEYS_UPDATE } from "./update.ts";
import { KEYS_ROTATE } from "./rotate-webhook-secret.ts";

export const KEYS: CommandGroup = {
  name: "keys",
  summary: "create, list, change and revoke API keys",
  description: "Create, list, change and revoke API keys, whether or not the server is running.",
  commands: [
    KEYS_CREATE,
    KEYS_LIST,
    KEYS_UPDATE,
    KEYS_REVOKE,
    KEYS_ROTATE,
    KEYS_REVOKE_OLD,
    KEYS_CREATE_RECEIPT_KEY,
  ],
};
