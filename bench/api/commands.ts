/** The commands that a measured server is started with, beside `retouch serve`. */
import { compile } from "../../tools/compile.mjs";
import { inRepository } from "../../tools/paths.ts";
import type { Command } from "../../tools/server.ts";

export const NPM_START: Command = { command: "npm", args: ["start"] };

/** The same service in a program of ours, which reports its event loop's delay, with another engine where one is given. */
export async function serviceProcess(engine?: URL): Promise<Command> {
  const bundle = await compile(inRepository("bench", "api", "service-process.ts"));
  return { command: process.execPath, args: engine ? [bundle, engine.href] : [bundle], hasChannel: true };
}
