/**
 * The caller's own bucket for a result: the request's `s3Config`. Checked without the S3 client, which takes a fifth of a
 * second to load.
 */
import { invalid, type RetouchError } from "../errors.ts";

export interface BucketTarget {
  accessId: string;
  accessSecret: string;
  bucketName: string;
  /** With or without the bucket's name before the host name. */
  endpointUrl: string;
  /** The object's full name if it ends in .png, .jpg or .jpeg; otherwise the folder that it goes into. */
  objectPath?: string | undefined;
}

/** S3's limit for a name is 1,024; ours leaves room for the file name. */
const MAX_PATH_BYTES = 900;
/**
 * Ids of temporary keys, as far as they can be told from others: Amazon's security token service (20 characters) and
 * Alibaba's. Ids are case-sensitive, and other servers allow names such as asia-backups.
 */
const TEMPORARY = /^(?:ASIA[A-Z0-9]{12,}|STS\.)/;

/**
 * Checks what can be checked without asking the server.
 * @throws RetouchError INVALID_PARAMETER that names the field, and never repeats its value
 */
export function checkBucketTarget(target: BucketTarget): void {
  const { accessId, accessSecret, bucketName, endpointUrl, objectPath = "" } = target;
  const url = URL.canParse(endpointUrl) ? new URL(endpointUrl) : undefined;
  if (url === undefined || !/^https?:$/.test(url.protocol) || url.username !== "" || url.password !== "")
    throw wrong("endpointUrl", "an http or https URL without a user name");
  if (url.search !== "" || url.hash !== "") throw wrong("endpointUrl", "a URL without ? and #");
  if (!/^[A-Za-z0-9][A-Za-z0-9._-]{1,254}$/.test(bucketName))
    throw wrong("bucketName", "the name of a bucket");
  if (!/^[\x21-\x7e]{1,200}$/.test(accessId)) throw wrong("accessId", "1 to 200 characters without spaces");
  // They need a session token, for which there is no field, and the URL of the result would end with them.
  if (TEMPORARY.test(accessId)) {
    throw invalid("about", {
      field: "s3Config.accessId",
      sentence:
        "temporary access keys cannot be used; give a long-term key, which the URL of the result needs for 7 days.",
    });
  }
  if (accessSecret === "") throw invalid("empty", { field: "s3Config.accessSecret" });
  if (Buffer.byteLength(objectPath) > MAX_PATH_BYTES)
    throw wrong("objectPath", `at most ${MAX_PATH_BYTES} bytes long`);
  // A dot segment is a step in the URL's path, not a part of the name.
  if (/(^|\/)\.{1,2}(\/|$)|\p{Cc}|\p{Cs}/u.test(objectPath))
    throw wrong("objectPath", "without control characters, and without . or .. between slashes");
}

const wrong = (name: keyof BucketTarget, wanted: string): RetouchError =>
  invalid("type", { field: `s3Config.${name}`, wanted });
