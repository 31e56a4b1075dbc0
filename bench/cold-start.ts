/** How long a fresh process takes to the end of the first step, seen from outside. */
import { spawn } from "node:child_process";
import { once } from "node:events";
import type { SharedOrder } from "./compare.ts";
import type { SideCommand } from "./sides/side.ts";
import { type Summary, summarize } from "../tools/statistics.ts";

/** Starts `command` several times, each time until it prints. */
export async function measureColdStart(
  { command, args, name }: SideCommand,
  order: SharedOrder,
  runs: number,
): Promise<Summary> {
  const seconds: number[] = [];
  for (let run = 0; run < runs; run += 1) {
    const started = performance.now();
    const child = spawn(command, [...args, JSON.stringify(order)], { stdio: ["ignore", "pipe", "inherit"] });
    const ended = once(child, "exit");
    const printed = await Promise.race([once(child.stdout, "data"), ended.then(() => undefined)]);
    seconds.push((performance.now() - started) / 1000);
    const [code] = await ended;
    if (!printed || code !== 0) throw new Error(`${name} ended with code ${code} before it printed.`);
  }
  return summarize(seconds);
}
