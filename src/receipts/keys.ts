/**
 * Ed25519 keys of receipts. A public key is known by its thumbprint (RFC 7638), and is published as a JWK (RFC 8037) in a
 * set; a private key is a PKCS #8 PEM.
 */
import {
  createPrivateKey,
  createPublicKey,
  generateKeyPairSync,
  type KeyObject,
  sign as signBytes,
  verify as verifyBytes,
} from "node:crypto";
import { invalid } from "../errors.ts";
import { sha256Bytes } from "../sha256.ts";

/** A public key as RFC 8037 writes it; `kid` is its thumbprint. */
export interface PublicJwk {
  kty: "OKP";
  crv: "Ed25519";
  /** 32 bytes in base64url. */
  x: string;
  kid: string;
  alg: "EdDSA";
  use: "sig";
}

/** What a program signs with. */
export interface SigningKey {
  /** The public half's thumbprint. */
  id: string;
  publicJwk: PublicJwk;
  /** @returns 64 bytes in base64url */
  sign(bytes: Uint8Array): string;
}

export const PRIVATE_KEY_FORM = "an Ed25519 private key, in PEM (PKCS #8) or as the member d of its JWK";
/** PKCS #8 (RFC 8410) but for the key itself. */
const PKCS8_HEAD = Buffer.from("302e020100300506032b657004220420", "hex");
const X = /^[A-Za-z0-9_-]{43}$/;
const SIGNATURE = /^[A-Za-z0-9_-]{86}$/;

/** Makes a private key, as PEM. */
export function createKeyPem(): string {
  const { privateKey } = generateKeyPairSync("ed25519");
  return privateKey.export({ type: "pkcs8", format: "pem" }) as string;
}

/** Reads a private key; undefined for anything else than {@link PRIVATE_KEY_FORM}. */
export function readSigningKey(pem: string): SigningKey | undefined {
  // Environments often have it on one line.
  const lines = pem.replaceAll("\\n", "\n");
  const key = keyOf(() =>
    X.test(pem)
      ? createPrivateKey({
          key: Buffer.concat([PKCS8_HEAD, Buffer.from(pem, "base64url")]),
          format: "der",
          type: "pkcs8",
        })
      : createPrivateKey({ key: lines, format: "pem" }),
  );
  if (key === undefined) return undefined;
  const publicJwk = jwkOf(createPublicKey(key));
  return {
    id: publicJwk.kid,
    publicJwk,
    sign: (bytes) => signBytes(null, bytes, key).toString("base64url"),
  };
}

/** The same for a key that a program gives. @throws RetouchError INVALID_PARAMETER */
export function readReceiptKey(pem: string | undefined): SigningKey | undefined {
  if (pem === undefined) return undefined;
  const key = readSigningKey(pem);
  if (key === undefined) throw invalid("type", { field: "receiptKey", wanted: PRIVATE_KEY_FORM });
  return key;
}

/** Reads a public key in PEM, a private one in PEM, a JWK or a set of JWKs; other kinds of keys in a set are left out. */
export function readPublicKeys(text: string): PublicJwk[] {
  if (!text.trimStart().startsWith("{")) {
    const key = keyOf(() => createPublicKey({ key: text, format: "pem" }));
    return key === undefined ? [] : [jwkOf(key)];
  }
  let given: unknown;
  try {
    given = JSON.parse(text);
  } catch {
    return [];
  }
  const { keys } = given as { keys?: unknown };
  return (Array.isArray(keys) ? keys : [given]).flatMap((one) => publicJwkOf(one) ?? []);
}

/** A JWK by its own numbers: what else it says of itself is not taken over. */
function publicJwkOf(given: unknown): PublicJwk | undefined {
  const { kty, crv, x } = (given ?? {}) as Record<string, unknown>;
  if (kty !== "OKP" || crv !== "Ed25519" || typeof x !== "string" || !X.test(x)) return undefined;
  return jwkOfPoint(x);
}

const jwkOf = (key: KeyObject): PublicJwk => jwkOfPoint(key.export({ format: "jwk" }).x!);

function jwkOfPoint(x: string): PublicJwk {
  // RFC 7638, section 3.2: the required members, in this order.
  const thumbprint = sha256Bytes(`{"crv":"Ed25519","kty":"OKP","x":"${x}"}`).toString("base64url");
  return { kty: "OKP", crv: "Ed25519", x, kid: thumbprint, alg: "EdDSA", use: "sig" };
}

/** Whether a key's owner signed these bytes. */
export function isSignedBy({ x }: PublicJwk, bytes: Uint8Array, signature: string): boolean {
  if (!SIGNATURE.test(signature)) return false;
  const key = keyOf(() => createPublicKey({ key: { kty: "OKP", crv: "Ed25519", x }, format: "jwk" }));
  return key !== undefined && verifyBytes(null, bytes, key, Buffer.from(signature, "base64url"));
}

function keyOf(read: () => KeyObject): KeyObject | undefined {
  try {
    const key = read();
    return key.asymmetricKeyType === "ed25519" ? key : undefined;
  } catch {
    return undefined;
  }
}
