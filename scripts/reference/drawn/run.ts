/**
 * `npm run test:reference -- --fuzz SEED N`: draws checkpoints and edits, edits with the reference in one process of Python
 * and with ours in one of Node, and compares. While ours works on a case, the reference works on the next.
 */
import { existsSync, mkdtempSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import path from "node:path";
import { compile } from "../../../tools/compile.mjs";
import { inRepository } from "../../../tools/paths.ts";
import { findPython } from "../../../tools/python.ts";
import { LineProcess } from "./line-process.ts";
import { parseOptions, type Options, USAGE } from "./options.ts";
import { isMiss, type Outcome, outcomeOf } from "./outcome.ts";
import type { Changes, DrawnCase, OurAnswer, Question, ReferenceAnswer } from "./protocol.ts";
import { groupsOf, lineOf, summaryOf } from "./report.ts";
import { shrink } from "./shrink.ts";

/** A case is some megabytes that are read twice at once: memory is faster, and spares the disk. */
const FILES = existsSync("/dev/shm") ? "/dev/shm" : tmpdir();
const FOLDER = "scripts/reference/drawn";

async function main(options: Options): Promise<boolean> {
  const { seed, indices, changes } = options;
  const root = mkdtempSync(path.join(FILES, "retouch-drawn-"));
  // Also where it is interrupted; the workers end with their input.
  process.once("exit", () => rmSync(root, { recursive: true, force: true }));
  process.once("SIGINT", () => process.exit(130));
  process.once("SIGTERM", () => process.exit(143));
  const worker = inRepository(FOLDER, "worker.py");
  const reference = new LineProcess([findPython(), worker, String(seed), root], { OMP_NUM_THREADS: "1" });
  const ours = new LineProcess([process.execPath, await compile(inRepository(FOLDER, "ours.ts"))]);
  const outcomes: Outcome[] = [];

  const draw = (index: number, given: Changes): Promise<ReferenceAnswer> =>
    reference.ask<DrawnCase>({ index, ...given } satisfies Question);
  const finish = async (index: number, drawn: ReferenceAnswer): Promise<Outcome> => {
    if ("fault" in drawn) return outcomeOf(index, drawn, undefined);
    const outcome = outcomeOf(index, drawn, await ours.ask<Exclude<OurAnswer, { fault: string }>>(drawn));
    rmSync(drawn.folder, { recursive: true, force: true });
    return outcome;
  };

  try {
    let next = draw(indices[0]!, changes);
    for (const [at, index] of indices.entries()) {
      const drawn = await next;
      const following = indices[at + 1];
      const isAhead = !options.isShrinking && following !== undefined;
      if (isAhead) next = draw(following, changes);
      let outcome = await finish(index, drawn);
      if (options.isShrinking && isMiss(outcome)) {
        const again = async (unusual: readonly string[]): Promise<Outcome> =>
          finish(index, await draw(index, { ...changes, unusual }));
        outcome = await shrink(outcome, again);
      }
      outcomes.push(outcome);
      if (options.isVerbose || isMiss(outcome)) console.log(lineOf(outcome));
      if (!isAhead && following !== undefined) next = draw(following, changes);
    }
  } finally {
    reference.close();
    ours.close();
  }
  const { text, isGood } = summaryOf(outcomes, seed);
  console.log(text);
  if (options.isShrinking) console.log(groupsOf(outcomes));
  if (options.jsonFile) writeFileSync(options.jsonFile, `${JSON.stringify(outcomes, null, 1)}\n`);
  return isGood;
}

try {
  const options = parseOptions(process.argv.slice(2));
  if (options === "help") console.log(USAGE);
  else process.exitCode = (await main(options)) ? 0 : 1;
} catch (error) {
  console.error(error instanceof Error ? error.message : error);
  process.exitCode = 2;
}
