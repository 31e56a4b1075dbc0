/** From the bytes of a body to a value that fits the route's schema, or one sentence why it does not. */
import { createHash } from "node:crypto";
import { setImmediate as nextTurn } from "node:timers/promises";
import type { FastifyInstance, FastifyRequest } from "fastify";
import type { TSchema } from "typebox";
import { Compile } from "typebox/compile";
import { RetouchError } from "../errors.ts";
import { parseJsonBody } from "./json-body.ts";
import { sentenceOf } from "./sentences.ts";

/** More than this is parsed in a turn of the event loop of its own. */
const SMALL_BYTES = 64 * 1024;
/** Parsing more than this and looking at it are two turns of the event loop, so that others come in between. */
const MAX_BYTES_IN_ONE_TURN = 2 ** 20;

/** Has bodies parsed, whatever their content type says, and checked against the schemas of the routes. */
export function addBodies(app: FastifyInstance): void {
  // Some clients send one that is malformed, or empty, which Fastify answers with 415 before any parser is asked.
  app.addHook("onRequest", async ({ headers }) => {
    delete headers["content-type"];
  });
  app.removeAllContentTypeParsers();
  const ownTurn = createTurns();
  app.addContentTypeParser("*", { parseAs: "buffer" }, async (request: FastifyRequest, bytes: Buffer) => {
    if (bytes.byteLength > SMALL_BYTES) await ownTurn();
    return parseBody(request, bytes);
  });
  app.setValidatorCompiler(({ schema, httpPart }) =>
    httpPart === "body" ? compileBody(schema as TSchema) : (value: unknown) => ({ value }),
  );
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
      const error = new RetouchError("INVALID_PARAMETER", sentenceOf(schema, check.Errors(value) as never));
      return { error };
    }
    return { error: new RetouchError("INVALID_PARAMETER", "The body must be a JSON object.") };
  };
}
