/** Reads the bytes of a body, within the limit of its route and the budget of all bodies, and no slower than it must come. */
import type { FastifyRequest } from "fastify";
import type { BodyBudget, BodyHold } from "./body-budget.ts";
import type { Connections } from "./connections.ts";
import type { Expectations } from "./expectations.ts";
import { refusal } from "./failures.ts";

declare module "fastify" {
  interface FastifyRequest {
    /** Of the body, where there is one. */
    bodyHold: BodyHold | undefined;
  }
}

/** @throws an Error with a status and a sentence */
export type BodyReader = (request: FastifyRequest) => Promise<Buffer>;

/** Blocks double from this to the other. */
const FIRST_BLOCK_BYTES = 4 * 1024;
const MAX_BLOCK_BYTES = 2 ** 20;

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
      const onLost = (): void => refuse(refusal(400, "The body does not have the announced length."));
      raw.on("data", onData).on("end", onEnd).on("error", onLost).on("close", onLost);
      if (!raw.complete) {
        connections.watch(raw, {
          arrivedBytes: pieces.byteLength,
          onSlow: () => refuse(tooSlow()),
        });
      }
      expectations.ask(raw);
    });
}

const tooLarge = (): Error => refusal(413, "The body is larger than this route allows.");
const overBudget = (): Error =>
  refusal(503, "Too many large bodies arrive at the same time; try again later.");
const tooSlow = (): Error => refusal(408, "The body did not arrive in time.");

/** Bytes in their order. Small pieces cost some hundred bytes each by themselves, so they are copied into blocks. */
function createPieces() {
  let blocks: Buffer[] = [];
  /** The part of the last block that nothing is in yet. */
  let free = Buffer.alloc(0);
  let byteLength = 0;
  return {
    byteLength: () => byteLength,
    add(piece: Buffer): void {
      for (let at = 0; at < piece.byteLength;) {
        if (free.byteLength === 0) {
          free = Buffer.allocUnsafeSlow(Math.min(Math.max(byteLength, FIRST_BLOCK_BYTES), MAX_BLOCK_BYTES));
          blocks.push(free);
        }
        const copied = piece.copy(free, 0, at);
        free = free.subarray(copied);
        byteLength += copied;
        at += copied;
      }
    },
    /** All of it in one piece; nothing is kept here. */
    take(): Buffer {
      const whole =
        blocks.length === 1 ? blocks[0]!.subarray(0, byteLength) : Buffer.concat(blocks, byteLength);
      blocks = [];
      return whole;
    },
    clear(): void {
      blocks = [];
    },
  };
}
