/** `retouch keys rotate-webhook-secret` on the command line. */
import type { KeysFlags } from "../../keys.ts";
import { serviceOptions } from "../../service-flags.ts";
import { command, JSON_OPTION, option } from "../command.ts";
import { ID_ARGUMENT } from "./revoke.ts";

export const KEYS_ROTATE = command<KeysFlags & { keep?: string }>({
  name: "rotate-webhook-secret",
  description: "Create a new webhook secret for a key and print it. It is shown only this once.",
  arguments: [ID_ARGUMENT],
  options: [
    option("--keep <time>", "how long the previous secret keeps signing as well, 0s to 30d (default: 24h)"),
    JSON_OPTION,
    ...serviceOptions(["dataDir"]),
  ],
  run: async ({ arguments: [id], flags }) =>
    (await import("../../keys.ts")).runRotateWebhookSecret(id!, flags),
});
