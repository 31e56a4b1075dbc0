/** The other side of `asked-process.ts`: a process that answers its parent, ends with it, and prints nothing. */
import { type FailureRecord, messageOf, recordOf, RetouchError } from "../errors.ts";

/** Why there is no answer: the question's own fault, or something unexpected. */
export type NoAnswer = { kind: "refused"; record: FailureRecord } | { kind: "failed"; reason: string };

/** @param answer makes the answer; a RetouchError refuses the question */
export function answerParent<Order, Answer extends object>(answer: (order: Order) => Promise<Answer>): void {
  // The terminal and the service manager send these to the whole group; the parent decides when to end.
  process.on("SIGINT", () => {});
  process.on("SIGTERM", () => {});
  process.on("disconnect", () => process.kill(process.pid, "SIGKILL"));
  process.on("message", (order: Order) => {
    answer(order).then(say, (error: unknown) =>
      say(
        error instanceof RetouchError
          ? { kind: "refused", record: recordOf(error) }
          : { kind: "failed", reason: messageOf(error) },
      ),
    );
  });
  say({ kind: "ready" });
}

function say(answer: object): void {
  process.send?.(answer);
}
