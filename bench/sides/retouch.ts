/** This side: the library in a Node process. */
import type { EngineOptions } from "../../src/index.ts";
import { compile } from "../../tools/compile.mjs";
import { inRepository } from "../../tools/paths.ts";
import type { SideCommand, SideSettings } from "./side.ts";

/** What else an engine can be told; by default it holds the weights as they are stored, as far as they fit. */
export type RetouchSettings = SideSettings & Pick<EngineOptions, "weights" | "cacheFolder" | "memoryLimit">;

/** Edits with a warm engine. */
export function retouchSide({
  checkpoint,
  threads,
  weights,
  cacheFolder,
  memoryLimit,
}: RetouchSettings): Promise<SideCommand> {
  const settings: RetouchSettings = { checkpoint, threads, weights, cacheFolder, memoryLimit };
  return nodeCommand("Retouch", "retouch-process.ts", [JSON.stringify(settings)]);
}

/** Takes one step of an edit and prints a line. */
export const firstStepSide = ({ checkpoint, threads }: SideSettings): Promise<SideCommand> =>
  nodeCommand("Retouch's first step", "first-step-process.ts", [checkpoint, String(threads)]);

/** It is bundled before anything is measured, so that the process starts as a user's program does. */
async function nodeCommand(name: string, file: string, args: readonly string[]): Promise<SideCommand> {
  const bundle = await compile(inRepository("bench", "sides", file));
  return { name, command: process.execPath, args: [bundle, ...args] };
}
