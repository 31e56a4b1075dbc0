/** Tells an unreachable database, which passes by itself, from a refused statement, which is a defect. */
import { type Failure, failure, messageOf, RetouchError } from "../errors.ts";

/**
 * SQLSTATE codes that blame no statement: connections, resources such as the disk, server shutdown, and the
 * time limits of statements and transactions.
 */
const AWAY = /^(08|53|57P|57014|25P03)/;

export function isAway(error: unknown): boolean {
  return AWAY.test(String((error as { code?: unknown }).code));
}

/** @param isOpening before the database has answered for the first time */
export function unavailable(
  cause: unknown,
  { isEmbedded, isOpening = false }: { isEmbedded: boolean; isOpening?: boolean },
): RetouchError {
  const event = isOpening ? "cannot be opened" : "does not answer";
  // The driver's message names host and port, never the password. If several addresses refused, the error has
  // no message.
  const reason = messageOf(cause) || messageOf((cause as AggregateError).errors?.[0]);
  const what = isEmbedded
    ? failure("embeddedDatabase", { event, reason })
    : failure("database", { field: "DATABASE_URL", event, reason });
  return new RetouchError("DATABASE_UNAVAILABLE", what, { cause });
}

/** What a failed commit means: if the database is unreachable, nobody knows whether the commit was done. */
export function undecided(error: unknown): unknown {
  if (!(error instanceof RetouchError)) return error;
  const { kind, values } = error.failure;
  const what: Failure = { kind: kind === "database" ? "undecided" : "embeddedUndecided", values };
  return new RetouchError("COMMIT_UNDECIDED", what, { cause: error });
}
