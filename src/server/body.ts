/** From the bytes of a body to a value that fits the route's schema, or why it does not. */
import { createHash } from "node:crypto";
import { setImmediate as nextTurn } from "node:timers/promises";
import type { FastifyInstance, FastifyRequest } from "fastify";
import type { TSchema } from "typebox";
import { Compile } from "typebox/compile";
import { RetouchError } from "../errors.ts";
import { parseJsonBody } from "./json-body.ts";
import type { BodyReader } from "./read-body.ts";
import { failureOf } from "./validation-messages.ts";

/** More than this is parsed in a turn of the event loop of its own. */
const SMALL_BYTES = 64 * 1024;
/** Parsing more than this and looking at it are two turns of the event loop, so that others come in between. */
const MAX_BYTES_IN_ONE_TURN = 2 ** 20;

/** Has bodies parsed, whatever their content type says, and checked against the schemas of the routes. */
export function addBodies(app: FastifyInstance, readBody: BodyReader): void {
  // Some clients send one that is malformed, or empty, which Fastify answers with 415 before any parser is asked.
  app.addHook("onRequest", async ({ headers }) => {
    delete headers["content-type"];
  });
  const ownTurn = createTurns();
  setBodyParser(app, readBody, async (request, bytes) => {
    if (bytes.byteLength > SMALL_BYTES) await ownTurn();
    return parseBody(request, bytes);
  });
  app.decorateRequest("bodyHold", undefined);
  // The handler is done, or none was asked. Before anything of the answer is sent, which may take long.
  app.addHook("onSend", (request, _reply, payload, done) => {
    request.bodyHold?.release();
    done(null, payload);
  });
  app.setValidatorCompiler(({ schema, httpPart }) =>
    httpPart === "body" ? compileBody(schema as TSchema) : (value: unknown) => ({ value }),
  );
}

/** Has all bodies of `app` read and parsed in this way. */
export function setBodyParser(
  app: FastifyInstance,
  readBody: BodyReader,
  parse: (request: FastifyRequest, bytes: Buffer) => Promise<unknown>,
): void {
  app.removeAllContentTypeParsers();
  app.addContentTypeParser("*", async (request: FastifyRequest) => parse(request, await readBody(request)));
}

/** Gives the body to `use`, and lets go of it after that: a call may be held for minutes, not together with its picture. */
export async function takeBody<Result>(
  request: FastifyRequest,
  use: (body: unknown) => Promise<Result>,
): Promise<Result> {
  const { body } = request;
  request.body = undefined;
  try {
    return await use(body);
  } finally {
    request.bodyHold?.release();
  }
}

/** Many bodies may have arrived at once: each waits for a turn after that of the one before. */
function createTurns(): () => Promise<void> {
  let last = Promise.resolve();
  return () => (last = last.then(() => nextTurn()));
}

async function parseBody(request: FastifyRequest, bytes: Buffer): Promise<unknown> {
  if (request.headers["idempotency-key"] !== undefined) {
    request.bodyHash = createHash("sha256").update(bytes).digest("hex");
  }
  const body = parseJsonBody(bytes);
  if (bytes.byteLength > MAX_BYTES_IN_ONE_TURN) await nextTurn();
  return body;
}

function compileBody(schema: TSchema) {
  const check = Compile(schema);
  return (value: unknown) => {
    if (check.Check(value)) return { value };
    if (typeof value === "object" && value !== null && !Array.isArray(value)) {
      const error = new RetouchError("INVALID_PARAMETER", failureOf(schema, check.Errors(value) as never));
      return { error };
    }
    return { error: new RetouchError("INVALID_PARAMETER", "The body must be a JSON object.") };
  };
}
