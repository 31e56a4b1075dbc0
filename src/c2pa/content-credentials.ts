/** Content credentials of results: a signed claim in the file of what was done, with the source's own credentials in it. */
import { messageOf, RetouchError } from "../errors.ts";
import type { OutputFormat } from "../images/output-format.ts";
import { formatOf } from "../images/format.ts";
import { version } from "../version.ts";
import { coseSign1, signatureSize } from "./cose.ts";
import type { CredentialTexts } from "./credential-texts.ts";
import { type Credentials, dayOf, readCredentials } from "./credentials.ts";
import { loadLibrary, MemoryBlob, type WasmBuilder } from "./library.ts";

export interface ContentSigner {
  /**
   * Signs a finished file.
   * @returns the file with its credentials
   * @throws RetouchError RUNTIME_FAILED
   */
  sign(file: Uint8Array, about: SignedResult): Promise<Uint8Array>;
}

/** What is said of a result. */
export interface SignedResult {
  format: OutputFormat;
  /** The encoded pictures that it was made of, the edited one first. */
  sources: readonly Uint8Array[];
  /** Where to add what the user should know, as sentences. */
  notices: string[];
}

// https://cv.iptc.org/newscodes/digitalsourcetype/
const SOURCE_TYPE = "http://cv.iptc.org/newscodes/digitalsourcetype/";
const COMPOSITE = `${SOURCE_TYPE}compositeWithTrainedAlgorithmicMedia`;
const DRAWN = `${SOURCE_TYPE}trainedAlgorithmicMedia`;
const AGENT = { name: "Retouch", version };
/** A file from outside may name addresses; none is asked. */
const OFFLINE = JSON.stringify({
  verify: { remote_manifest_fetch: false, ocsp_fetch: false, verify_trust: false },
});

/**
 * Loads what it takes to sign.
 * @throws RetouchError CONFIG_INVALID for a certificate that nobody could trust, or without the optional package
 */
export async function createContentSigner(texts: CredentialTexts, now = new Date()): Promise<ContentSigner> {
  const credentials = readCredentials(texts, now);
  if (typeof credentials === "string") {
    throw new RetouchError("CONFIG_INVALID", `The certificate of content credentials ${credentials}.`);
  }
  await loadLibrary();
  return {
    async sign(file, { format, sources, notices }) {
      const say = (sentence: string): void => {
        if (!notices.includes(sentence)) notices.push(sentence);
      };
      if (Date.now() >= credentials.validTo.getTime()) {
        say(
          `The result has no content credentials: the certificate expired on ${dayOf(credentials.validTo)}.`,
        );
        return file;
      }
      const given = { file, format, sources };
      try {
        return await signed(credentials, { ...given, areRead: true });
      } catch (cause) {
        if (sources.length === 0) return fail(cause);
        // One of them is mostly why.
        const image = await signed(credentials, { ...given, areRead: false }).catch(fail);
        say(UNREAD);
        return image;
      }
    },
  };
}

const UNREAD =
  "The content credentials of an image could not be read; those of the result name it without them.";

function fail(cause: unknown): never {
  throw new RetouchError("RUNTIME_FAILED", `The result cannot be signed: ${messageOf(cause)}`, { cause });
}

interface Signing extends Omit<SignedResult, "notices"> {
  file: Uint8Array;
  /** Whether the sources' own credentials are looked for. */
  areRead: boolean;
}

async function signed(
  credentials: Credentials,
  { file, format, sources, areRead }: Signing,
): Promise<Uint8Array> {
  const { WasmBuilder } = await loadLibrary();
  const type = `image/${format}`;
  const builder = WasmBuilder.fromJson(JSON.stringify(definitionOf(type, sources.length)), OFFLINE);
  try {
    for (const [index, bytes] of sources.entries()) await addSource(builder, bytes, index, areRead);
    const size = signatureSize(credentials);
    const signer = {
      alg: credentials.algorithm.name,
      reserveSize: size,
      sign: async (claim: Uint8Array) => new Uint8Array(coseSign1(claim, credentials, size)),
    };
    return await builder.sign(signer, [], type, new MemoryBlob(file));
  } finally {
    builder.free();
  }
}

const idOf = (index: number): string => `image-${index + 1}`;

async function addSource(
  builder: WasmBuilder,
  bytes: Uint8Array,
  index: number,
  isRead: boolean,
): Promise<void> {
  // It was decoded, so it is one of the formats that are accepted.
  const type = `image/${formatOf(bytes)!.name.toLowerCase()}`;
  const ingredient = JSON.stringify({
    title: index === 0 ? "The edited image" : `Image ${index + 1}`,
    format: type,
    relationship: index === 0 ? "parentOf" : "inputTo",
    instance_id: idOf(index),
    label: idOf(index),
  });
  if (isRead) await builder.addIngredientFromBlob(ingredient, type, new MemoryBlob(bytes));
  else builder.addIngredient(ingredient);
}

/** What was done, in its order: first the image was opened, or drawn where there was none. */
function definitionOf(type: string, numSources: number): unknown {
  const others = Array.from({ length: Math.max(0, numSources - 1) }, (_, index) => idOf(index + 1));
  const edited = {
    action: "c2pa.edited",
    digitalSourceType: COMPOSITE,
    softwareAgent: AGENT,
    ...(others.length > 0 && { parameters: { ingredientIds: others } }),
  };
  const opened = { action: "c2pa.opened", parameters: { ingredientIds: [idOf(0)] } };
  const created = { action: "c2pa.created", digitalSourceType: DRAWN, softwareAgent: AGENT };
  return {
    claim_generator_info: [AGENT],
    format: type,
    assertions: [
      { label: "c2pa.actions.v2", data: { actions: numSources === 0 ? [created] : [opened, edited] } },
    ],
  };
}
