/** `retouch keys create-receipt-key`: a key that signs receipts, in a file that only its user can read. */
import { writeFile } from "node:fs/promises";
import { createKeyPem, messageOf, readSigningKey, RetouchError } from "../../index.ts";
import { printText } from "../output.ts";
import { oneLine } from "../report.ts";

/** Writes the private key, and prints the public one. @throws RetouchError OUTPUT_UNWRITABLE, also for a file that is there */
export async function runCreateReceiptKey(file: string): Promise<void> {
  const pem = createKeyPem();
  try {
    await writeFile(file, pem, { mode: 0o600, flag: "wx" });
  } catch (cause) {
    const isThere = (cause as NodeJS.ErrnoException).code === "EEXIST";
    const reason = isThere ? "it is there already" : messageOf(cause);
    throw new RetouchError("OUTPUT_UNWRITABLE", `${oneLine(file)} cannot be written: ${reason}.`, { cause });
  }
  await printText(process.stdout, `${JSON.stringify(readSigningKey(pem)!.publicJwk)}\n`);
}
