/**
 * What goes wrong with an S3 server, as sentences. They name the setting or the field to change, and quote
 * nothing of the server's reply beyond its error code: the server may be anyone's, and may repeat what was
 * sent to it.
 */
import { type Failure, failure, RetouchError } from "../errors.ts";

/** How sentences name the parts of a bucket's configuration: by the settings or fields they came from. */
export interface BucketNames {
  bucket: string;
  endpoint: string;
  region: string;
  accessKeyId: string;
  secretAccessKey: string;
}

/** Error code for a reply beyond its limit. */
export const ANSWER_TOO_LARGE = "ANSWER_TOO_LARGE";

type Sentence = (names: BucketNames, error: S3Error) => Failure;

const about = (field: string, sentence: string): Failure => failure("about", { field, sentence });
const state = (field: string, sentence: string): Failure => failure("state", { field, sentence });

/** The fields read from an error of the SDK, of Node or of S3; any of them may be missing. */
interface S3Error {
  name?: string;
  code?: string;
  /** Where S3 expects the request. */
  Region?: unknown;
  $metadata?: { httpStatusCode?: number };
}

const wrongRegion: Sentence = ({ region }, error) => {
  // The server's text is quoted only if it can be nothing but a region.
  const isRegion = typeof error.Region === "string" && /^[a-z0-9-]{1,32}$/.test(error.Region);
  return about(region, `the bucket lies in another region${isRegion ? `, ${String(error.Region)}` : ""}.`);
};
const noBucket: Sentence = ({ bucket }) => about(bucket, "there is no such bucket.");
const denied: Sentence = ({ accessKeyId }) => about(accessKeyId, "access to the bucket is denied.");
const full: Sentence = ({ bucket }) => about(bucket, "the bucket is full.");
const noAnswer: Sentence = ({ endpoint }) => about(endpoint, "the S3 server does not answer in time.");
const noHost: Sentence = ({ endpoint }) => about(endpoint, "there is no host of this name.");
const unreachable: Sentence = ({ endpoint }) => about(endpoint, "the S3 server cannot be reached.");
const ended: Sentence = ({ endpoint }) => about(endpoint, "the S3 server ended the connection.");

/** By the name of S3's error, or else the code of the system's error. */
const SENTENCES: Readonly<Record<string, Sentence>> = {
  SignatureDoesNotMatch: ({ secretAccessKey }) =>
    state(secretAccessKey, "is not the secret of the access key."),
  InvalidAccessKeyId: ({ accessKeyId }) => about(accessKeyId, "the S3 server knows no such access key."),
  // MinIO's and Ceph's.
  XMinioStorageFull: full,
  XMinioAdminBucketQuotaExceeded: full,
  QuotaExceeded: full,
  RequestTimeTooSkewed: ({ endpoint }) =>
    about(endpoint, "the clock of this machine and of the S3 server differ by more than 15 minutes."),
  NoSuchBucket: noBucket,
  AccessDenied: denied,
  AllAccessDisabled: denied,
  PermanentRedirect: wrongRegion,
  TemporaryRedirect: wrongRegion,
  AuthorizationHeaderMalformed: wrongRegion,
  IllegalLocationConstraintException: wrongRegion,
  InvalidBucketName: ({ bucket }) => state(bucket, "is not the name of a bucket."),
  CredentialsProviderError: ({ accessKeyId }) =>
    state(accessKeyId, "is missing, and the AWS SDK finds no access key elsewhere."),
  ERR_INVALID_CHAR: ({ accessKeyId }) => state(accessKeyId, "has characters that no access key has."),
  TimeoutError: noAnswer,
  AbortError: noAnswer,
  ETIMEDOUT: noAnswer,
  ECONNREFUSED: ({ endpoint }) => about(endpoint, "the S3 server refuses the connection."),
  ECONNRESET: ended,
  EPIPE: ended,
  ENOTFOUND: noHost,
  EAI_AGAIN: ({ endpoint }) => about(endpoint, "the name of the host cannot be looked up now."),
  EHOSTUNREACH: unreachable,
  ENETUNREACH: unreachable,
  EPROTO: ({ endpoint }) => about(endpoint, "the server does not speak TLS at this port; is it http?"),
  ADDRESS_REFUSED: ({ endpoint }) => state(endpoint, "is not a public address."),
  [ANSWER_TOO_LARGE]: ({ endpoint }) =>
    about(endpoint, "the server's answer is too large to be one of S3's."),
};

/** OpenSSL's and Node's codes for a certificate that is not trusted, not for this host, or expired. */
const CERTIFICATE = /CERT|SELF_SIGNED|UNABLE_TO_(GET|VERIFY)|^ERR_TLS/;

/** Faults that may pass by themselves, by the code or the name of the error. */
const PASSING: ReadonlySet<string> = new Set([
  "TimeoutError",
  "AbortError",
  "ETIMEDOUT",
  "ECONNREFUSED",
  "ECONNRESET",
  "EPIPE",
  "EAI_AGAIN",
  "EHOSTUNREACH",
  "ENETUNREACH",
  "SlowDown",
  "RequestTimeout",
]);

/** Whether the same request may succeed some seconds later. @param error what the SDK threw */
export function isPassing(error: unknown): boolean {
  const { name = "", code = "", $metadata } = (error ?? {}) as S3Error;
  const status = $metadata?.httpStatusCode ?? 0;
  return PASSING.has(code) || PASSING.has(name) || status >= 500 || status === 429;
}

/** Turns anything that the SDK throws into a RetouchError STORAGE_UNAVAILABLE. */
export function bucketFailure(names: BucketNames, cause: unknown): RetouchError {
  if (cause instanceof RetouchError) return cause;
  return new RetouchError("STORAGE_UNAVAILABLE", failureOf(names, cause as S3Error), { cause });
}

function failureOf(names: BucketNames, error: S3Error): Failure {
  const { name = "", code = "" } = error;
  // The system's code comes first: the SDK calls every closed connection a TimeoutError.
  const sentence = ownEntry(code) ?? ownEntry(name);
  if (sentence) return sentence(names, error);
  if (CERTIFICATE.test(code))
    return about(names.endpoint, "the certificate of the S3 server is not accepted.");
  const status = error.$metadata?.httpStatusCode;
  if (status !== undefined) return about(names.endpoint, `the S3 server answered with status ${status}.`);
  return about(names.endpoint, `the request to the S3 server failed${code === "" ? "" : ` (${code})`}.`);
}

/** Names come from the server, so inherited properties such as `constructor` must not match. */
const ownEntry = (key: string): Sentence | undefined =>
  Object.hasOwn(SENTENCES, key) ? SENTENCES[key] : undefined;
