/** Settings for where the service is reached, who may use it, and where it keeps its data. */
import { ENDPOINT_ID } from "./endpoint-id.ts";
import { hosts, httpAddress, integer, networks, pattern, text } from "./parsers.ts";
import { besideSecret, optional, required, secret, type Settings } from "./setting.ts";

export const ADDRESS = {
  host: required(
    "RETOUCH_HOST",
    pattern("a host name or an IP address", /^[A-Za-z0-9._:%-]{1,255}$/),
    "127.0.0.1",
    "Address to listen on; 0.0.0.0 for all interfaces.",
  ),
  port: required("RETOUCH_PORT", integer(0, 65_535), "8000", "Port to listen on; 0 picks a free one."),
  publicUrl: optional(
    "RETOUCH_PUBLIC_URL",
    httpAddress,
    "https://edit.example.com",
    "URL at which clients reach this server, for the URLs of results; without it, the Host of each request is used.",
  ),
  allowedHosts: optional(
    "RETOUCH_ALLOWED_HOSTS",
    hosts,
    "edit.example.com,*.internal.example.com",
    "Further host names for calls without a key; IP addresses, localhost, the machine's name and that of RETOUCH_PUBLIC_URL are always accepted, and calls with a key may use any name.",
  ),
  trustedProxies: optional(
    "RETOUCH_TRUSTED_PROXIES",
    networks,
    "127.0.0.1,10.0.0.0/8",
    "Addresses and networks of reverse proxies whose X-Forwarded-For and X-Forwarded-Proto are believed; none by default.",
  ),
  endpointId: required(
    "RETOUCH_ENDPOINT_ID",
    ENDPOINT_ID,
    "black-forest-labs-flux-1-kontext-dev",
    "Name of the default endpoint, that of RETOUCH_CHECKPOINT, in its URLs.",
  ),
  apiKey: secret(
    "RETOUCH_API_KEY",
    pattern("16 to 200 characters without spaces", /^[\x21-\x7e]{16,200}$/),
    "at-least-16-characters",
    "A first API key of your own choice; without it, one is created and shown at the first start.",
  ),
  corsOrigin: optional(
    "RETOUCH_CORS_ORIGIN",
    pattern("* or an origin such as https://app.example.com", /^(\*|https?:\/\/[^/\s]+)$/),
    "https://app.example.com",
    "Origin whose pages may call the API from a browser; none by default.",
  ),
} satisfies Settings;

export const DATA = {
  dataDir: required("RETOUCH_DATA_DIR", text, "data", "Folder for the embedded database and the images."),
  databaseUrl: secret(
    "DATABASE_URL",
    pattern("an address such as postgres://user:password@host:5432/name", /^postgres(ql)?:\/\/\S+$/),
    "postgres://user:password@host:5432/name",
    "PostgreSQL to use instead of the embedded database.",
  ),
  databaseSchema: required(
    "RETOUCH_DATABASE_SCHEMA",
    pattern("1 to 40 lower-case letters, digits and _", /^[a-z][a-z0-9_]{0,39}$/),
    "retouch",
    "Schema of the tables; the queue's schema is named after it.",
  ),
  s3Bucket: optional(
    "RETOUCH_S3_BUCKET",
    text,
    "pictures",
    "S3 bucket for the images, instead of RETOUCH_DATA_DIR.",
  ),
  s3Endpoint: optional(
    "RETOUCH_S3_ENDPOINT",
    httpAddress,
    "https://s3.example.com",
    "URL of an S3 server other than Amazon's.",
  ),
  s3Region: required("RETOUCH_S3_REGION", text, "us-east-1", "Region of the bucket."),
  s3AccessKeyId: besideSecret(
    "RETOUCH_S3_ACCESS_KEY_ID",
    text,
    "an-access-key-id",
    "Access key; without it, whatever the AWS SDK finds.",
  ),
  s3SecretAccessKey: secret("RETOUCH_S3_SECRET_ACCESS_KEY", text, "its-secret", "The secret of that key."),
  s3Prefix: optional("RETOUCH_S3_PREFIX", text, "retouch/", "Prefix of all object names."),
} satisfies Settings;
