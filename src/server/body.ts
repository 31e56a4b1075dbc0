/** Turns the bytes of a body into a value that fits the route's schema, or says why it does not fit. */
import { setImmediate as nextTurn } from "node:timers/promises";
import type { FastifyInstance, FastifyRequest } from "fastify";
import type { TSchema } from "typebox";
import { Compile } from "typebox/compile";
import { sha256InTurns } from "../sha256.ts";
import { RetouchError } from "../errors.ts";
import { parseJsonBody } from "./json-body.ts";
import type { BodyReader } from "./read-body.ts";
import { failureOf } from "./validation-messages.ts";

/** A body larger than this is parsed in its own turn of the event loop. */
const SMALL_BYTES = 64 * 1024;
/** Above this size, parsing and checking take separate turns of the event loop: others run in between. */
const MAX_BYTES_IN_ONE_TURN = 2 ** 20;

/** Makes `app` parse every body, whatever its content type, and check it against the schema of the route. */
export function addBodies(app: FastifyInstance, readBody: BodyReader): void {
  // Some clients send a malformed or empty content type, which Fastify answers with 415 before it asks any
  // parser.
  app.addHook("onRequest", async ({ headers }) => {
    delete headers["content-type"];
  });
  const ownTurn = createTurns();
  setBodyParser(app, readBody, async (request, bytes) => {
    if (bytes.byteLength > SMALL_BYTES) await ownTurn();
    return parseBody(request, bytes);
  });
  app.decorateRequest("bodyHold", undefined);
  // The handler is done, or never ran. Sending the reply may take long, so the body is released before it
  // starts.
  app.addHook("onSend", (request, _reply, payload, done) => {
    request.bodyHold?.release();
    done(null, payload);
  });
  app.setValidatorCompiler(({ schema, httpPart }) =>
    httpPart === "body" ? compileBody(schema as TSchema) : (value: unknown) => ({ value }),
  );
}

/** Makes `app` read and parse all bodies in this way. */
export function setBodyParser(
  app: FastifyInstance,
  readBody: BodyReader,
  parse: (request: FastifyRequest, bytes: Buffer) => Promise<unknown>,
): void {
  app.removeAllContentTypeParsers();
  app.addContentTypeParser("*", async (request: FastifyRequest) => parse(request, await readBody(request)));
}

/** Hands the body to `use`, then releases it: a long poll of minutes must not keep its image in memory. */
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

/** Many bodies may arrive at once: each waits for a turn after that of the previous one. */
function createTurns(): () => Promise<void> {
  let last = Promise.resolve();
  return () => (last = last.then(() => nextTurn()));
}

async function parseBody(request: FastifyRequest, bytes: Buffer): Promise<unknown> {
  if (request.headers["idempotency-key"] !== undefined) {
    request.bodyHash = await sha256InTurns(bytes);
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
      const failure = failureOf(schema, check.Errors(value) as never, value);
      return { error: new RetouchError("INVALID_PARAMETER", failure) };
    }
    return { error: new RetouchError("INVALID_PARAMETER", "The body must be a JSON object.") };
  };
}
