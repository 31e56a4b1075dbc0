/** `retouch keys revoke` on the command line. */
import type { KeysFlags } from "../../keys.ts";
import { serviceOptions } from "../../service-flags.ts";
import { command } from "../command.ts";

/** Argument of every command about one key. */
export const ID_ARGUMENT = {
  name: "<id>",
  description: "the key's id, as `retouch keys list` shows it",
} as const;

export const KEYS_REVOKE = command<KeysFlags>({
  name: "revoke",
  description: "Revoke a key at once.",
  arguments: [ID_ARGUMENT],
  options: serviceOptions(["dataDir"]),
  run: async ({ arguments: [id], flags }) => (await import("../../keys.ts")).runKeysRevoke(id!, flags),
});
