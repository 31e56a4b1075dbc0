/** Reads the bytes of a body, within its route's limit, the budget of all bodies, and the minimum speed. */
import type { FastifyRequest } from "fastify";
import type { BodyBudget, BodyHold } from "./body-budget.ts";
import type { Connections } from "./connections.ts";
import type { Expectations } from "./expectations.ts";
import { refusal } from "./failures.ts";
import { createPieces } from "./pieces.ts";

declare module "fastify" {
  interface FastifyRequest {
    /** What the body holds of the budget, if there is a body. */
    bodyHold: BodyHold | undefined;
  }
}

/** @throws an Error with a status and a sentence */
export type BodyReader = (request: FastifyRequest) => Promise<Buffer>;

export interface ReaderParts {
  budget: BodyBudget;
  connections: Pick<Connections, "watch">;
  expectations: Pick<Expectations, "ask">;
}

export function createBodyReader({ budget, connections, expectations }: ReaderParts): BodyReader {
  return (request) =>
    new Promise((resolve, reject) => {
      const { raw, keyId } = request;
      const maxBytes = request.routeOptions.bodyLimit;
      if (Number(raw.headers["content-length"]) > maxBytes) return reject(tooLarge());
      const pieces = createPieces();
      // The client went away before anybody read the body.
      if (raw.destroyed) return reject(incomplete());
      const hold = budget.open(keyId, () => refuse(overBudget()));
      request.bodyHold = hold;

      const end = (): void => {
        raw.off("data", onData).off("end", onEnd).off("error", onLost).off("close", onLost);
      };
      const refuse = (error: Error): void => {
        end();
        hold.release();
        pieces.clear();
        reject(error);
      };
      const onData = (piece: Buffer): void => {
        if (pieces.byteLength() + piece.byteLength > maxBytes) return refuse(tooLarge());
        pieces.add(piece);
        hold.add(piece.byteLength);
      };
      const onEnd = (): void => {
        end();
        hold.complete();
        resolve(pieces.take());
      };
      const onLost = (): void => refuse(incomplete());
      raw.on("data", onData).on("end", onEnd).on("error", onLost).on("close", onLost);
      if (!raw.complete) connections.watch(raw, () => refuse(tooSlow()));
      expectations.ask(raw);
    });
}

const incomplete = (): Error => refusal(400, "The body does not have the announced length.");
const tooLarge = (): Error => refusal(413, "The body is larger than this route allows.");
const overBudget = (): Error =>
  refusal(503, "Too many large bodies are arriving at the same time; try again later.");
const tooSlow = (): Error => refusal(408, "The body did not arrive in time.");
