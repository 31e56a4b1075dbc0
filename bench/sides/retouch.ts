/** This side: the library in a Node process. */
import { compile } from "../../tools/compile.mjs";
import { inRepository } from "../../tools/paths.ts";
import type { SideCommand, SideSettings } from "./side.ts";

/** Edits with a warm engine. */
export const retouchSide = (settings: SideSettings): Promise<SideCommand> =>
  nodeCommand("Retouch", "retouch-process.ts", settings);

/** Takes one step of an edit and prints a line. */
export const firstStepSide = (settings: SideSettings): Promise<SideCommand> =>
  nodeCommand("Retouch's first step", "first-step-process.ts", settings);

/** It is bundled before anything is measured, so that the process starts as a user's program does. */
async function nodeCommand(
  name: string,
  file: string,
  { checkpoint, threads }: SideSettings,
): Promise<SideCommand> {
  const bundle = await compile(inRepository("bench", "sides", file));
  return { name, command: process.execPath, args: [bundle, checkpoint, String(threads)] };
}
