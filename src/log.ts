/**
 * The log: lines of JSON, on standard error. Lines about a job come from a child (`log.child({ jobId })`). Secrets are
 * blanked out wherever they may turn up, and so is what users sent: neither is a reader's business. A line is short,
 * whatever it is about (`log-values.ts`).
 */
import {
  type DestinationStream,
  destination as fileDestination,
  type Logger,
  pino,
  stdTimeFunctions,
} from "pino";
import { shortArguments, shortFields } from "./log-values.ts";

export type Log = Logger;

export interface LogOptions {
  /** The least important lines that are written: a level of pino, or `silent`. */
  level: string;
  /** Where lines go. @default standard error */
  destination?: DestinationStream | undefined;
}

/** Secrets, by the names that requests, settings and variables have for them. */
const SECRETS = [
  "authorization",
  "Authorization",
  "cookie",
  "apiKey",
  "s3Config",
  "bucket",
  "accessSecret",
  "credentials",
  "secretAccessKey",
  "s3SecretAccessKey",
  "databaseUrl",
  "webhookSecret",
  "RETOUCH_API_KEY",
  "RETOUCH_S3_SECRET_ACCESS_KEY",
  "RETOUCH_WEBHOOK_SECRET",
  "DATABASE_URL",
];
/** What users sent. The address of a webhook often has a password in its query. */
const PRIVATE = ["body", "input", "prompt", "image", "webhook"];
/** How deep in the object of a line they are looked for. */
const DEPTHS = ["", "*.", "*.*."];
const STDERR = 2;

/** Creates the log. Lines are written at once, so that a program that ends has said all it had to say. */
export function createLog({ level, destination }: LogOptions): Log {
  const paths = [...SECRETS, ...PRIVATE].flatMap((name) => DEPTHS.map((depth) => depth + name));
  return pino(
    {
      level,
      base: null,
      timestamp: stdTimeFunctions.isoTime,
      formatters: { level: (label) => ({ level: label }), log: (fields) => shortFields(fields) },
      // Short already.
      serializers: { err: (error: unknown) => error },
      hooks: {
        logMethod(given, method) {
          method.apply(this, shortArguments(given));
        },
      },
      redact: { paths, censor: "[hidden]" },
    },
    destination ?? fileDestination({ fd: STDERR, sync: true }),
  );
}
