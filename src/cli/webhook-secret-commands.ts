/** The commands under `retouch keys` about what webhooks are signed with: their arguments and help. */
import type { Command } from "commander";

export function addWebhookSecretCommands(keys: Command): void {
  keys
    .command("rotate-webhook-secret")
    .description("Make a new secret for a key's webhooks and print it, the only time that it can be seen.")
    .helpOption("-h, --help", "print this help")
    .argument("<id>", "the key's id, as `retouch keys list` shows it")
    .option("--keep <time>", "how long the one before signs as well, 0s to 30d (default: 24h)")
    .option("--json", "print one line of JSON")
    .action(async (id: string, flags: { keep?: string; json?: boolean }) => {
      const { runRotateWebhookSecret } = await import("./keys.ts");
      return runRotateWebhookSecret(id, flags);
    });
  keys
    .command("revoke-old-webhook-secrets")
    .description("End the replaced secrets of a key's webhooks at once; the newest one stays.")
    .helpOption("-h, --help", "print this help")
    .argument("<id>", "the key's id, as `retouch keys list` shows it")
    .action(async (id: string) => {
      const { runRevokeOldWebhookSecrets } = await import("./keys.ts");
      return runRevokeOldWebhookSecrets(id);
    });
}
