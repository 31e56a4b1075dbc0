/**
 * Measures `acceleration: auto` on 200 held-out edits: how many keep what min_psnr promises, how many steps they compute, and
 * their time beside that of the same edit with every step computed, by turns. Usage: npm run eval:acceleration -- --help
 */
import { appendFileSync, mkdirSync, readFileSync } from "node:fs";
import path from "node:path";
import { parseArgs } from "node:util";
import { psnrOf } from "../../src/images/psnr.ts";
import { describeMachine, gitRevision } from "../../tools/machine.ts";
import { inRepository } from "../../tools/paths.ts";
import { nativeScaleOf } from "../checkpoint.ts";
import { openSet } from "../set.ts";
import { heldOut, requestOf, spread, writeCalibrating } from "./edits.ts";
import { type Edit, type Run, summaryOf, tableOf } from "./summary.ts";
import { openUnchecked, type Timed, timed } from "./timed.ts";

const USAGE = `Usage: npm run eval:acceleration [-- OPTIONS]

Edits 200 held-out scenes of evaluation/set with every step computed and with acceleration, by turns. What was measured is
kept: after an interruption the same command goes on.

  --json                one JSON document on standard output instead of a table
  --min-psnr A,B        what is promised (default 30,34,40,50)
  --limit N             so many edits, spread over the kinds (default 200)
  --part I/N            of these every Nth from the Ith on, for several processes that share --out
  --threads N           threads of the networks (default 0, one per core)
  --weights KIND        what the networks compute in (default auto); every step is computed in fp32 all the same
  --checkpoint DIR      checkpoint folder (default checkpoints/tiny)
  --out DIR             where progress goes (default out/acceleration)
  --edits-for-calibration DIR
                        write 60 other edits there, for retouch calibrate, and end
`;
const CALIBRATING = 60;

const { values } = parseArgs({
  options: {
    json: { type: "boolean", default: false },
    "min-psnr": { type: "string", default: "30,34,40,50" },
    limit: { type: "string", default: "200" },
    part: { type: "string", default: "1/1" },
    threads: { type: "string", default: "0" },
    weights: { type: "string", default: "auto" },
    checkpoint: { type: "string", default: inRepository("checkpoints", "tiny") },
    out: { type: "string", default: inRepository("out", "acceleration") },
    "edits-for-calibration": { type: "string" },
    help: { type: "boolean", default: false },
  },
});
if (values.help) {
  process.stdout.write(USAGE);
} else {
  const set = await openSet(inRepository("evaluation", "set"));
  const native = await nativeScaleOf(values.checkpoint);
  const folder = values["edits-for-calibration"];
  if (folder === undefined) await measureAll(set, native);
  else process.stdout.write(`${await writeCalibrating(set, native, { folder, count: CALIBRATING })}\n`);
}

async function measureAll(
  set: Awaited<ReturnType<typeof openSet>>,
  native: Awaited<ReturnType<typeof nativeScaleOf>>,
): Promise<void> {
  const promises = values["min-psnr"].split(",").map(Number);
  const all = heldOut(set);
  const count = Math.min(Number(values.limit), all.length);
  const [part, parts] = values.part.split("/").map(Number) as [number, number];
  const scenes = spread(all, count).filter((_, index) => index % parts === part - 1);
  const exact = await openUnchecked(values, "fp32");
  const chosen = values.weights === "fp32" ? exact : await openUnchecked(values, values.weights);
  mkdirSync(values.out, { recursive: true });
  const file = path.join(values.out, "progress.jsonl");
  const key = `${await exact.digest()} ${chosen.arithmetic}`;
  const known = new Map(readLines(file).map((edit) => [`${edit.key} ${edit.id}`, edit]));
  const edits: Edit[] = [];
  try {
    for (const [place, scene] of scenes.entries()) {
      const before = known.get(`${key} ${scene.id}`);
      const missing = promises.filter((minPsnr) => before?.runs[String(minPsnr)] === undefined);
      if (before && missing.length === 0) {
        edits.push(before);
        continue;
      }
      const request = await requestOf(set, scene, native);
      // Which side begins changes from edit to edit.
      const isFirst = place % 2 === 0;
      let plain = isFirst ? await timed(exact, request) : undefined;
      const accelerated: [number, Timed][] = [];
      for (const minPsnr of missing) {
        accelerated.push([minPsnr, await timed(chosen, { ...request, acceleration: "auto", minPsnr })]);
      }
      plain ??= await timed(exact, request);
      const runs = Object.fromEntries(
        accelerated.map(([minPsnr, { data, seconds, cpuSeconds, acceleration }]): [string, Run] => {
          const psnr = psnrOf(plain.data, data);
          const run = {
            psnr: psnr === Infinity ? null : psnr,
            estimatedPsnr: acceleration?.estimatedPsnr ?? null,
            computedSteps: acceleration?.computedSteps ?? 0,
            ratio: seconds / plain.seconds,
            cpuRatio: cpuSeconds / plain.cpuSeconds,
          };
          return [String(minPsnr), run];
        }),
      );
      const edit: Edit = { key, id: scene.id, kind: scene.kind, runs: { ...before?.runs, ...runs } };
      appendFileSync(file, `${JSON.stringify(edit)}\n`);
      edits.push(edit);
      if (place % 10 === 9) process.stderr.write(`${place + 1} of ${scenes.length} edits\n`);
    }
  } finally {
    await exact.close();
    if (chosen !== exact) await chosen.close();
  }
  const summary = promises.map((minPsnr) => summaryOf(edits, minPsnr));
  const about = {
    date: new Date().toISOString(),
    revision: gitRevision(),
    machine: describeMachine(),
    arithmetic: chosen.arithmetic,
  };
  process.stdout.write(values.json ? `${JSON.stringify({ ...about, summary, edits })}\n` : tableOf(summary));
}

function readLines(from: string): Edit[] {
  let text = "";
  try {
    text = readFileSync(from, "utf8");
  } catch (error) {
    if ((error as NodeJS.ErrnoException).code !== "ENOENT") throw error;
  }
  // A line that was not finished ends without a newline.
  return text
    .split("\n")
    .slice(0, -1)
    .map((line) => JSON.parse(line) as Edit);
}
