/** `retouch keys create-receipt-key` on the command line. */
import { command } from "../command.ts";

export const KEYS_CREATE_RECEIPT_KEY = command({
  name: "create-receipt-key",
  description:
    "Make a key that signs receipts: the private one in a new file, the public one printed as JWK.",
  arguments: [{ name: "<file>", description: "where the private key goes, for RETOUCH_RECEIPT_KEY_FILE" }],
  run: async ({ arguments: [file] }) =>
    (await import("../../receipts/create-key.ts")).runCreateReceiptKey(file!),
});
