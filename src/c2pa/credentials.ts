/**
 * The operator's certificate for content credentials, with its key: what C2PA asks of both (specification 2.2, section
 * 14.5), checked before anything is signed.
 */
import { createPrivateKey, createPublicKey, type KeyObject, X509Certificate } from "node:crypto";
import type { CredentialTexts } from "./credential-texts.ts";

export interface Credentials {
  /** The chain in DER, without its root. */
  chain: readonly Uint8Array[];
  key: KeyObject;
  algorithm: SigningAlgorithm;
  /** From when to when all of the chain is valid. */
  validFrom: Date;
  validTo: Date;
}

/** What C2PA's library and COSE (RFC 9053, RFC 8230, RFC 9864) call it, and what Node hashes with. */
export interface SigningAlgorithm {
  name: "es256" | "es384" | "es512" | "ps256" | "ed25519";
  coseId: number;
  hash: string | null;
}

const OF_CURVE: Readonly<Record<string, SigningAlgorithm>> = {
  prime256v1: { name: "es256", coseId: -7, hash: "sha256" },
  secp384r1: { name: "es384", coseId: -35, hash: "sha384" },
  secp521r1: { name: "es512", coseId: -36, hash: "sha512" },
};
const RSA: SigningAlgorithm = { name: "ps256", coseId: -37, hash: "sha256" };
const ED25519: SigningAlgorithm = { name: "ed25519", coseId: -8, hash: null };
const LEAST_RSA_BITS = 2048;

/** Extended key usages of those who sign claims: C2PA's own, e-mail protection and document signing. */
const PURPOSES: ReadonlySet<string> = new Set([
  "1.3.6.1.4.1.62558.2.1",
  "1.3.6.1.5.5.7.3.4",
  "1.3.6.1.5.5.7.3.36",
]);
const CERTIFICATE = /-----BEGIN CERTIFICATE-----[A-Za-z0-9+/=\s]+-----END CERTIFICATE-----/g;
const MAX_CERTIFICATES = 10;

export const CERTIFICATES_FORM = "certificates in PEM, the one that signs first";
export const CREDENTIAL_KEY_FORM = "its private key in PEM (PKCS #8)";

/** Undefined for anything else than {@link CERTIFICATES_FORM}. */
export function readCertificates(text: string): X509Certificate[] | undefined {
  const blocks = lines(text).match(CERTIFICATE) ?? [];
  if (blocks.length === 0 || blocks.length > MAX_CERTIFICATES) return undefined;
  try {
    return blocks.map((block) => new X509Certificate(block));
  } catch {
    return undefined;
  }
}

/** Undefined for anything else than {@link CREDENTIAL_KEY_FORM}. */
export function readCredentialKey(text: string): KeyObject | undefined {
  try {
    return createPrivateKey({ key: lines(text), format: "pem" });
  } catch {
    return undefined;
  }
}

/** Environments often have PEM on one line. */
const lines = (text: string): string => text.replaceAll("\\n", "\n");

/**
 * @param now when they are to be valid
 * @returns a sentence's end instead, as it follows "The certificate", for those that nobody could trust
 */
export function readCredentials(texts: CredentialTexts, now: Date): Credentials | string {
  const certificates = readCertificates(texts.certificates);
  const key = readCredentialKey(texts.key);
  if (certificates === undefined) return `must be ${CERTIFICATES_FORM}`;
  if (key === undefined) return `must come with ${CREDENTIAL_KEY_FORM}`;
  const [leaf] = certificates as [X509Certificate];
  if (!leaf.publicKey.equals(createPublicKey(key))) return "is of another key than the one that is given";
  const algorithm = algorithmOf(key);
  if (algorithm === undefined)
    return "has a key that C2PA does not take: RSA from 2,048 bits, P-256, P-384, P-521 or Ed25519";
  const problem = problemOf(certificates, now);
  if (problem !== undefined) return problem;
  return {
    chain: certificates
      .filter((one) => one === leaf || !isSelfSigned(one))
      .map(({ raw }) => new Uint8Array(raw)),
    key,
    algorithm,
    validFrom: new Date(Math.max(...certificates.map((one) => Date.parse(one.validFrom)))),
    validTo: new Date(Math.min(...certificates.map((one) => Date.parse(one.validTo)))),
  };
}

function problemOf(certificates: readonly X509Certificate[], now: Date): string | undefined {
  const [leaf] = certificates as [X509Certificate];
  for (const { subject, validFrom, validTo } of certificates) {
    const name = subject.replaceAll(/\s+/g, " ").slice(0, 100);
    if (Date.parse(validTo) <= now.getTime()) return `of ${name} expired on ${dayOf(validTo)}`;
    if (Date.parse(validFrom) > now.getTime()) return `of ${name} is not valid before ${dayOf(validFrom)}`;
  }
  if (leaf.ca) return "is an authority's, which may not sign for itself";
  if (isSelfSigned(leaf)) return "is signed by itself, and C2PA wants an authority's signature";
  const purposes = leaf.keyUsage ?? [];
  if (!purposes.some((purpose) => PURPOSES.has(purpose))) {
    return "is for another purpose: its extended key usage must have C2PA claim signing, e-mail protection or document signing";
  }
  const isBroken = certificates.some(
    (one, index) => index > 0 && !certificates[index - 1]!.verify(one.publicKey),
  );
  return isBroken ? "is not signed by the one after it, or one after it is not" : undefined;
}

const isSelfSigned = (certificate: X509Certificate): boolean =>
  certificate.issuer === certificate.subject && certificate.verify(certificate.publicKey);

export const dayOf = (date: string | Date): string => new Date(date).toISOString().slice(0, 10);

function algorithmOf({ asymmetricKeyType, asymmetricKeyDetails }: KeyObject): SigningAlgorithm | undefined {
  if (asymmetricKeyType === "ed25519") return ED25519;
  if (asymmetricKeyType === "ec") return OF_CURVE[asymmetricKeyDetails?.namedCurve ?? ""];
  if (asymmetricKeyType !== "rsa" && asymmetricKeyType !== "rsa-pss") return undefined;
  return (asymmetricKeyDetails?.modulusLength ?? 0) >= LEAST_RSA_BITS ? RSA : undefined;
}
