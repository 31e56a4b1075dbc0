/**
 * The log: JSON lines on standard error. Lines about a job come from a child logger (`log.child({ jobId })`). Secrets
 * are redacted wherever they may turn up, and so is what users sent, since log readers need neither. Every line is
 * short, whatever it is about (`log-values.ts`).
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
  /** The lowest level that is written: one of pino's levels, or `silent`. */
  level: string;
  /** Where lines are written. @default standard error */
  destination?: DestinationStream | undefined;
}

/** Secrets, by their names in requests, settings and variables. */
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
/** What users sent. A webhook's URL often has a password in its query. */
const PRIVATE = ["body", "input", "prompt", "image", "webhook"];
/** How deep in a line's object these names are looked for. */
const DEPTHS = ["", "*.", "*.*."];
const STDERR = 2;

/** Creates the log. Lines are written synchronously, so a program that exits has logged everything. */
export function createLog({ level, destination }: LogOptions): Log {
  const paths = [...SECRETS, ...PRIVATE].flatMap((name) => DEPTHS.map((depth) => depth + name));
  return pino(
    {
      level,
      base: null,
      timestamp: stdTimeFunctions.isoTime,
      formatters: { level: (label) => ({ level: label }), log: (fields) => shortFields(fields) },
      // Already short.
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
