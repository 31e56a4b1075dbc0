/** `retouch keys list` on the command line. */
import type { KeysFlags } from "../../keys.ts";
import { serviceOptions } from "../../service-flags.ts";
import { command, JSON_OPTION } from "../command.ts";

export const KEYS_LIST = command<KeysFlags>({
  name: "list",
  description: "List all keys, showing only the beginning of each.",
  options: [JSON_OPTION, ...serviceOptions(["dataDir"])],
  run: async ({ flags }) => (await import("../../keys.ts")).runKeysList(flags),
});
