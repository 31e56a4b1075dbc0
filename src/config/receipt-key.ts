/** The key that signs receipts, as a setting; commands that read no other setting use it too. */
import { PRIVATE_KEY_FORM, readSigningKey } from "../receipts/keys.ts";
import type { Parser } from "./parsers.ts";

/** The text of a key, which stays as it is. */
export const receiptKey: Parser<string> = {
  accepts: PRIVATE_KEY_FORM,
  parse: (text) => readSigningKey(text) && text,
};
