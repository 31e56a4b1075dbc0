/** `retouch keys create` on the command line. */
import type { KeysFlags, TermsFlags } from "../../keys.ts";
import { serviceOptions } from "../../service-flags.ts";
import { command, JSON_OPTION } from "../command.ts";
import { OPERATOR, SAFETY_THRESHOLD } from "./terms.ts";

export const KEYS_CREATE = command<KeysFlags & TermsFlags>({
  name: "create",
  description: "Create a key and print it with its webhook secret. Both are shown only this once.",
  arguments: [{ name: "<name>", description: "what to call it, 1 to 100 characters" }],
  options: [OPERATOR, SAFETY_THRESHOLD, JSON_OPTION, ...serviceOptions(["dataDir"])],
  run: async ({ arguments: [name], flags }) => (await import("../../keys.ts")).runKeysCreate(name!, flags),
});
