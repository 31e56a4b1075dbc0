/** Why an HTTP exchange failed, without the addresses, functions and libraries that Node's messages name. */
import { ADDRESS_REFUSED } from "./agents.ts";
import { UNKNOWN_CODING } from "./content-encoding.ts";

const UNTRUSTED = "the certificate of the host is not trusted";

const REASONS: readonly (readonly [RegExp, string])[] = [
  [/^ENOTFOUND$/, "there is no such host"],
  [/^EAI_AGAIN$/, "the name of the host cannot be looked up now"],
  [/^ECONNREFUSED$/, "the host refuses the connection"],
  [/^(ECONNRESET|EPIPE|UND_ERR_SOCKET)$/, "the host ended the connection"],
  [/^EHOSTUNREACH$/, "the host cannot be reached"],
  [/^ENETUNREACH$/, "the network cannot be reached"],
  [/^(ETIMEDOUT|UND_ERR_(CONNECT|HEADERS|BODY)_TIMEOUT)$/, "the host does not answer"],
  [/^(HPE_HEADER|UND_ERR_HEADERS)_OVERFLOW$/, "its headers are too long"],
  [/^HPE_/, "the host does not answer in HTTP"],
  [/^(EPROTO|ERR_SSL_.*)$/, "the host does not answer in HTTPS"],
  [/^CERT_HAS_EXPIRED$/, "the certificate of the host has expired"],
  [/^ERR_TLS_CERT_ALTNAME_INVALID$/, "the certificate of the host is for another name"],
  [/^(DEPTH_ZERO_SELF_SIGNED_CERT|SELF_SIGNED_CERT_IN_CHAIN|CERT_UNTRUSTED)$/, UNTRUSTED],
  [/^UNABLE_TO_(VERIFY_LEAF_SIGNATURE|GET_ISSUER_CERT(_LOCALLY)?)$/, UNTRUSTED],
  [/^(Z_|ERR__|ERR_(BROTLI|ZSTD)|ZSTD_)/, "its compressed answer is damaged"],
];

/** The end of a sentence, such as "the host refuses the connection". */
export function connectionFailure(error: unknown): string {
  const { code, message } = error as { code?: unknown; message?: unknown };
  if (code === ADDRESS_REFUSED || code === UNKNOWN_CODING) return String(message);
  if (typeof code !== "string") return "the connection failed";
  return REASONS.find(([codes]) => codes.test(code))?.[1] ?? `the connection failed (${code})`;
}
