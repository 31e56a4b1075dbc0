/** `retouch keys revoke-old-webhook-secrets` on the command line. */
import type { KeysFlags } from "../../keys.ts";
import { serviceOptions } from "../../service-flags.ts";
import { command } from "../command.ts";
import { ID_ARGUMENT } from "./revoke.ts";

export const KEYS_REVOKE_OLD = command<KeysFlags>({
  name: "revoke-old-webhook-secrets",
  description: "Stop using the replaced webhook secrets of a key at once; the newest one stays.",
  arguments: [ID_ARGUMENT],
  options: serviceOptions(["dataDir"]),
  run: async ({ arguments: [id], flags }) =>
    (await import("../../keys.ts")).runRevokeOldWebhookSecrets(id!, flags),
});
