/** Compressed answers: codings as servers name and write them (RFC 9110, section 8.4). */
import { Readable } from "node:stream";
import * as zlib from "node:zlib";

/** The coding that an answer has and that cannot be undone here; the message is the end of a sentence. */
export const UNKNOWN_CODING = "UNKNOWN_CODING";

type Decode = (body: Readable) => Readable;

const through =
  (create: () => NodeJS.ReadWriteStream & Readable): Decode =>
  (body) => {
    const output = create();
    body.on("error", (error) => output.destroy(error));
    output.on("close", () => body.destroy());
    return body.pipe(output);
  };

/** A map, not an object: the other side chooses the key that is looked up. */
const DECODERS: ReadonlyMap<string, Decode> = new Map<string, Decode>([
  ["gzip", through(zlib.createGunzip)],
  ["x-gzip", through(zlib.createGunzip)],
  ["br", through(zlib.createBrotliDecompress)],
  ["deflate", inflated],
  // From Node 22.15 on.
  ...("createZstdDecompress" in zlib
    ? [["zstd", through(zlib.createZstdDecompress as () => zlib.Gunzip)] as const]
    : []),
]);
/** Codings that exist and cannot be undone; a name that is none of a coding is a mistake, and the bytes are as they are. */
const NOT_DECODED = new Set([
  "compress",
  "x-compress",
  "zstd",
  "dcb",
  "dcz",
  "exi",
  "pack200-gzip",
  "aes128gcm",
]);
/** Each coding may multiply the bytes by a thousand, out of sight of whoever counts those of the last. */
const MAX_CODINGS = 2;

/**
 * Undoes the codings of an answer, the last one first.
 * @param header such as `gzip`, or a list; case and blanks do not matter
 * @throws Error with the code UNKNOWN_CODING
 */
export function decoded(body: Readable, header = ""): Readable {
  const names = header.split(",").map((name) => name.trim().toLowerCase());
  const codings = names.filter((name) => DECODERS.has(name) || NOT_DECODED.has(name));
  const unknown = codings.find((name) => !DECODERS.has(name));
  if (unknown !== undefined)
    throw refusal(`the server compresses its answer with ${unknown}, which cannot be undone here`);
  if (codings.length > MAX_CODINGS) throw refusal("the server compresses its answer more than twice");
  return codings.toReversed().reduce((stream, name) => DECODERS.get(name)!(stream), body);
}

const refusal = (message: string): Error => Object.assign(new Error(message), { code: UNKNOWN_CODING });

/** `deflate` is the zlib format, and many servers send it without zlib's two bytes in front. */
function inflated(body: Readable): Readable {
  const output = Readable.from(inflate(body), { objectMode: false });
  output.on("close", () => body.destroy());
  return output;
}

async function* inflate(body: Readable): AsyncGenerator<Buffer> {
  const chunks: AsyncIterator<Buffer> = body[Symbol.asyncIterator]();
  let start = Buffer.alloc(0);
  while (start.length < 2) {
    const { done, value } = await chunks.next();
    if (done) break;
    start = Buffer.concat([start, value]);
  }
  if (start.length === 0) return;
  const whole = async function* (): AsyncGenerator<Buffer> {
    yield start;
    for (let next = await chunks.next(); !next.done; next = await chunks.next()) yield next.value;
  };
  const decoder = through(hasZlibHeader(start) ? zlib.createInflate : zlib.createInflateRaw);
  yield* decoder(Readable.from(whole(), { objectMode: false })) as AsyncIterable<Buffer>;
}

/** RFC 1950, section 2.2: the method deflate, and a multiple of 31. */
const hasZlibHeader = (start: Buffer): boolean =>
  start.length >= 2 && (start[0]! & 0x0f) === 8 && start.readUInt16BE(0) % 31 === 0;
