/** Long polls: each ends early when its client goes away, and all of them end when the server stops. */
import type { FastifyReply } from "fastify";

export interface LongPolls {
  /** Aborts when the connection closes before the reply is written, or the server stops. */
  signalOf(reply: FastifyReply): AbortSignal;
  /** Ends every present and future long poll, so that it answers with the state of its job. */
  endAll(): void;
}

export function createLongPolls(): LongPolls {
  const held = new Set<AbortController>();
  let isOver = false;
  return {
    signalOf({ raw }) {
      const controller = new AbortController();
      if (isOver || raw.destroyed) {
        controller.abort();
        return controller.signal;
      }
      held.add(controller);
      raw.once("finish", () => held.delete(controller));
      raw.once("close", () => {
        if (held.delete(controller)) controller.abort();
      });
      return controller.signal;
    },
    endAll() {
      isOver = true;
      for (const controller of held) controller.abort();
      held.clear();
    },
  };
}

/** Resolves once the reply has been handed to the system, or is known to be lost. @returns whether it was written */
export function whenWritten({ raw }: FastifyReply): Promise<boolean> {
  return new Promise((resolve) => {
    if (raw.destroyed) resolve(raw.writableFinished);
    else raw.once("finish", () => resolve(true)).once("close", () => resolve(false));
  });
}
