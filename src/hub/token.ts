/** The hub's token: given, or stored in a file by a login. */
import { readFile } from "node:fs/promises";
import { RetouchError } from "../errors.ts";

/** @throws RetouchError CONFIG_INVALID, without showing the token */
export async function readToken(settings: {
  token: string | undefined;
  tokenFile: string;
}): Promise<string | undefined> {
  const text = settings.token ?? (await readFile(settings.tokenFile, "utf8").catch(() => ""));
  const token = text.trim();
  if (token === "") return undefined;
  // A header allows no other characters, and its error would show them.
  if (!/^[\x21-\x7e]+$/.test(token)) {
    const where = settings.token === undefined ? settings.tokenFile : "HF_TOKEN";
    throw new RetouchError("CONFIG_INVALID", `${where} must hold a token of the hub on one line.`);
  }
  return token;
}
