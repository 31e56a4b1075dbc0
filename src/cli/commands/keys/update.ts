/** `retouch keys update` on the command line. */
import type { KeysFlags, TermsFlags } from "../../keys.ts";
import { serviceOptions } from "../../service-flags.ts";
import { command, JSON_OPTION, option } from "../command.ts";
import { ID_ARGUMENT } from "./revoke.ts";
import { OPERATOR, SAFETY_THRESHOLD } from "./terms.ts";

export const KEYS_UPDATE = command<KeysFlags & TermsFlags>({
  name: "update",
  description: "Change what a key may do; its jobs go by it from their next run on.",
  arguments: [ID_ARGUMENT],
  options: [
    OPERATOR,
    option("--no-operator", "a client's key again"),
    SAFETY_THRESHOLD,
    JSON_OPTION,
    ...serviceOptions(["dataDir"]),
  ],
  run: async ({ arguments: [id], flags }) => (await import("../../keys.ts")).runKeysUpdate(id!, flags),
});
