/**
 * `Expect: 100-continue`: the client waits to be asked for its body. Node would ask as soon as the headers
 * arrive; this server asks when somebody reads, so that a body refused by its headers is never sent.
 */
import type { IncomingMessage, ServerResponse } from "node:http";
import type { FastifyInstance } from "fastify";

export interface Expectations {
  /** Asks for the body, if the client waits for that. */
  ask(request: IncomingMessage): void;
  /** Whether the client still waits to be asked. */
  isUnasked(request: IncomingMessage): boolean;
}

export function addExpectations(app: FastifyInstance): Expectations {
  const unasked = new WeakMap<IncomingMessage, ServerResponse>();
  app.server.on("checkContinue", (request: IncomingMessage, response: ServerResponse) => {
    unasked.set(request, response);
    app.server.emit("request", request, response);
  });
  app.addHook("onSend", (request, reply, payload, done) => {
    // The client may still send the body or not, so nobody knows where the next request would begin.
    if (unasked.has(request.raw)) void reply.header("connection", "close");
    done(null, payload);
  });
  return {
    ask(request) {
      unasked.get(request)?.writeContinue();
      unasked.delete(request);
    },
    isUnasked: (request) => unasked.has(request),
  };
}
