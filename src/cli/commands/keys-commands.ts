/** The command lines under `retouch keys`. */
import type { Command } from "commander";
import type { KeysFlags } from "../keys.ts";
import { addServiceFlags } from "../service-flags.ts";

const ID = "the key's id, as `retouch keys list` shows it";

export function addKeysCommands(program: Command): void {
  const keys = program
    .command("keys")
    .summary("make, list and revoke API keys")
    .description("Make, list and revoke API keys, beside a running server or one that ran before.")
    .helpOption("-h, --help", "print this help")
    .helpCommand(false);
  keys
    .command("create")
    .description("Make a key and print it with its webhook secret, the only time that they can be seen.")
    .helpOption("-h, --help", "print this help")
    .argument("<name>", "what to call it, 1 to 100 characters")
    .option("--json", "print one line of JSON")
    .action(async (name: string, flags: KeysFlags) => {
      const { runKeysCreate } = await import("../keys.ts");
      return runKeysCreate(name, flags);
    });
  keys
    .command("list")
    .description("List all keys, none of them whole.")
    .helpOption("-h, --help", "print this help")
    .option("--json", "print one line of JSON")
    .action(async (flags: KeysFlags) => {
      const { runKeysList } = await import("../keys.ts");
      return runKeysList(flags);
    });
  keys
    .command("revoke")
    .description("End a key at once.")
    .helpOption("-h, --help", "print this help")
    .argument("<id>", ID)
    .action(async (id: string, flags: KeysFlags) => {
      const { runKeysRevoke } = await import("../keys.ts");
      return runKeysRevoke(id, flags);
    });
  addWebhookSecretCommands(keys);
  for (const command of keys.commands) addServiceFlags(command, ["dataDir"]);
}

/** Those about what webhooks are signed with. */
function addWebhookSecretCommands(keys: Command): void {
  keys
    .command("rotate-webhook-secret")
    .description("Make a new secret for a key's webhooks and print it, the only time that it can be seen.")
    .helpOption("-h, --help", "print this help")
    .argument("<id>", ID)
    .option("--keep <time>", "how long the one before signs as well, 0s to 30d (default: 24h)")
    .option("--json", "print one line of JSON")
    .action(async (id: string, flags: KeysFlags & { keep?: string }) => {
      const { runRotateWebhookSecret } = await import("../keys.ts");
      return runRotateWebhookSecret(id, flags);
    });
  keys
    .command("revoke-old-webhook-secrets")
    .description("End the replaced secrets of a key's webhooks at once; the newest one stays.")
    .helpOption("-h, --help", "print this help")
    .argument("<id>", ID)
    .action(async (id: string, flags: KeysFlags) => {
      const { runRevokeOldWebhookSecrets } = await import("../keys.ts");
      return runRevokeOldWebhookSecrets(id, flags);
    });
}
