/**
 * The signature of a claim: COSE_Sign1 (RFC 9052) with the payload left out and the certificates in its protected header
 * (RFC 9360), as C2PA wants it (specification 2.2, section 13.2). The library writes everything around it.
 */
import { constants, sign as signBytes } from "node:crypto";
import type { Credentials } from "./credentials.ts";

const ALGORITHM = 1;
const CHAIN = 33;
const COSE_SIGN1 = 18;
const NULL = Buffer.of(0xf6);

/** @param size bytes that the signature must have, with zeros in its header that fill it up */
export function coseSign1(
  claim: Uint8Array,
  { chain, key, algorithm }: Credentials,
  size: number,
): Uint8Array {
  const certificates = chain.map(bytes);
  const header = map(
    [integer(ALGORITHM), integer(algorithm.coseId)],
    [integer(CHAIN), certificates.length === 1 ? certificates[0]! : list(...certificates)],
  );
  const signed = list(text("Signature1"), bytes(header), bytes(new Uint8Array()), bytes(claim));
  const signature = signBytes(algorithm.hash, signed, {
    key,
    dsaEncoding: "ieee-p1363",
    ...(algorithm.name === "ps256" && {
      padding: constants.RSA_PKCS1_PSS_PADDING,
      saltLength: constants.RSA_PSS_SALTLEN_DIGEST,
    }),
  });
  const filledBy = (zeros: number): Buffer =>
    Buffer.concat([
      head(6, COSE_SIGN1),
      list(bytes(header), map([text("pad"), bytes(new Uint8Array(zeros))]), NULL, bytes(signature)),
    ]);
  // A longer string may have a longer head.
  for (let zeros = size - filledBy(0).length; zeros >= 0; zeros--) {
    const filled = filledBy(zeros);
    if (filled.length === size) return new Uint8Array(filled);
    if (filled.length < size) break;
  }
  throw new RangeError(`The certificates leave no room for a signature of ${size} bytes.`);
}

/** Far more than the head of a string takes, and more than a signature of RSA with 16,384 bits. */
const ROOM = 4096;

/** How large a signature with these certificates may become. */
export const signatureSize = ({ chain }: Credentials): number =>
  chain.reduce((sum, { length }) => sum + length, ROOM);

// CBOR (RFC 8949), as far as a signature needs it.

function head(major: number, value: number): Buffer {
  const type = major << 5;
  if (value < 24) return Buffer.of(type | value);
  if (value < 2 ** 8) return Buffer.of(type | 24, value);
  if (value < 2 ** 16) return Buffer.of(type | 25, value >> 8, value & 255);
  const wide = Buffer.alloc(5, type | 26);
  wide.writeUInt32BE(value, 1);
  return wide;
}

const integer = (value: number): Buffer => (value >= 0 ? head(0, value) : head(1, -1 - value));
const bytes = (value: Uint8Array): Buffer => Buffer.concat([head(2, value.byteLength), value]);
const text = (value: string): Buffer => Buffer.concat([head(3, value.length), Buffer.from(value, "ascii")]);
const list = (...items: readonly Buffer[]): Buffer => Buffer.concat([head(4, items.length), ...items]);
const map = (...entries: readonly (readonly Buffer[])[]): Buffer =>
  Buffer.concat([head(5, entries.length), ...entries.flat()]);
