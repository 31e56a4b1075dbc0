/**
 * Edits with a build of the library, this one's or another revision's, as `bench/diffusers_edit.py` does with diffusers:
 * loads a checkpoint folder once, prints a line when ready, then answers one JSON line with one until its input ends.
 * Argument: an `EditProcessOrder` as JSON.
 */
import type { EditRequest, Engine, EngineOptions } from "../../src/index.ts";
import { answerOrders } from "../sides/edit-orders.ts";

export interface EditProcessOrder {
  /** URL of the library's entry. */
  library: string;
  engine: Pick<EngineOptions, "checkpoint" | "threads" | "weights" | "cacheFolder"> & {
    safety: { isOn: boolean };
  };
  /** What every request has besides the order's parameters. */
  request: Pick<EditRequest, "acceleration" | "minPsnr">;
}

interface Library {
  createEngine(options: EngineOptions): Promise<Engine>;
}

const { library, engine: options, request } = JSON.parse(process.argv[2]!) as EditProcessOrder;

await answerOrders(async () => {
  const { createEngine } = (await import(library)) as Library;
  return createEngine(options);
}, request);
