/** The files of content credentials, read and checked at the start of whatever signs with them. */
import { readFileSync, statSync } from "node:fs";
import type { CredentialTexts } from "../c2pa/credential-texts.ts";
import { readCredentials } from "../c2pa/credentials.ts";
import { type Failure, failure, RetouchError } from "../errors.ts";

export interface C2paSettings {
  c2paCertificate?: string | undefined;
  c2paKey?: string | undefined;
}

const CERTIFICATE = "RETOUCH_C2PA_CERTIFICATE";
const KEY = "RETOUCH_C2PA_KEY";
const MAX_BYTES = 65_536;

/** @returns undefined if there are to be none @throws RetouchError CONFIG_INVALID for files that nobody could sign with */
export function readContentCredentials(
  { c2paCertificate, c2paKey }: C2paSettings,
  now = new Date(),
): CredentialTexts | undefined {
  if (c2paCertificate === undefined && c2paKey === undefined) return undefined;
  if (c2paCertificate === undefined || c2paKey === undefined) {
    throw wrong(failure("together", { field: CERTIFICATE, other: KEY }));
  }
  const texts = { certificates: textOf(CERTIFICATE, c2paCertificate), key: textOf(KEY, c2paKey) };
  const found = readCredentials(texts, now);
  if (typeof found === "string") {
    throw wrong(failure("about", { field: CERTIFICATE, sentence: `the certificate ${found}.` }));
  }
  return texts;
}

function textOf(field: string, file: string): string {
  try {
    // Opening a pipe would wait for a writer.
    if (statSync(file).isFile() && statSync(file).size <= MAX_BYTES) return readFileSync(file, "utf8");
  } catch {
    // Said below.
  }
  const sentence = `must name a file of at most ${MAX_BYTES / 1024} KB that this process may read.`;
  throw wrong(failure("state", { field, sentence }));
}

const wrong = (problem: Failure): RetouchError => new RetouchError("CONFIG_INVALID", problem);
