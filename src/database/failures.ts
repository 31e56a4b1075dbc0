/** Tells a database that is away from a statement that it refuses: the first passes by itself, the second is a defect. */
import { messageOf, RetouchError } from "../errors.ts";

/** Classes of SQLSTATE that blame no statement: connections, resources such as the disk, and the server's own shutdown. */
const AWAY = /^(08|53|57P)/;

export function isAway(error: unknown): boolean {
  return AWAY.test(String((error as { code?: unknown }).code));
}

/** @param isOpening before the database has answered for the first time */
export function unavailable(
  cause: unknown,
  { isEmbedded, isOpening = false }: { isEmbedded: boolean; isOpening?: boolean },
): RetouchError {
  const what = isEmbedded ? "The embedded database" : "DATABASE_URL: the database";
  const happens = isOpening ? "cannot be opened" : "does not answer";
  // The driver's sentence names host and port, never the password. A refused connection to several addresses has none.
  const reason = messageOf(cause) || messageOf((cause as AggregateError).errors?.[0]);
  return new RetouchError("DATABASE_UNAVAILABLE", `${what} ${happens}: ${reason.replace(/\.$/, "")}.`, {
    cause,
  });
}

/** What a commit's failure means: where the database is away, nobody knows whether it was done. */
export function undecided(failure: unknown): unknown {
  if (!(failure instanceof RetouchError)) return failure;
  const message = `${failure.message.replace(/\.$/, "")}; what was just to be written may be there or not.`;
  return new RetouchError("COMMIT_UNDECIDED", message, { cause: failure });
}
