/** A run: opens the set, measures what is not measured yet, and reports. */
import { mkdir } from "node:fs/promises";
import path from "node:path";
import { duration } from "../src/cli/progress.ts";
import { writeFileAtomically } from "../src/index.ts";
import type { Goal } from "../tools/goals.ts";
import { describeMachine, gitRevision, type Machine } from "../tools/machine.ts";
import { checkpointDigest, createAutoencoder, createEditor, nativeScaleOf } from "./checkpoint.ts";
import type { Judgement } from "./measures.ts";
import { type Options, type Part, PLAN, type Plan } from "./options.ts";
import { EvaluationRecord } from "./record.ts";
import {
  holdAgainstGoals,
  type Judged,
  type Report,
  summarize,
  summarizeDrift,
  summarizeGuidance,
  summarizeKinds,
  summarizeNothing,
  summarizeSteps,
  testGuidance,
} from "./report.ts";
import {
  autoencoderKey,
  chainKey,
  editKey,
  nothingKey,
  select,
  type Selection,
  type Variant,
  variantsOf,
} from "./selection.ts";
import { CHAIN_LENGTH, openSet, type Scene } from "./set.ts";
import { drawSheet } from "./sheet.ts";
import { meanOf } from "./statistics.ts";
import {
  type AutoencoderMeasurement,
  type DriftMeasurement,
  type Task,
  tasksOf,
  type Tools,
} from "./tasks.ts";

/** Between two reports of progress. */
const INTERVAL_MS = 10_000;

/** The document of `--json` and of `report.json`. */
export interface Evaluation extends Report {
  date: string;
  revision: string | null;
  machine: Machine;
  checkpoint: { folder: string; digest: string };
  set: { digest: string; scenes: number; probe: number; chains: number };
  settings: { numSteps: number; guidance: number };
  goals: Goal[];
}

export async function evaluate(
  options: Options,
  say: (sentence: string) => void,
  plan: Plan = PLAN,
): Promise<Evaluation> {
  const { checkpoint, out, parts, limit, isRestarted } = options;
  const set = await openSet(options.set);
  const native = await nativeScaleOf(checkpoint);
  const digest = await checkpointDigest(checkpoint);
  const selection = select(set, limit);
  await mkdir(out, { recursive: true });
  const record = new EvaluationRecord(out, { set: set.digest, checkpoint: digest }, { isRestarted });

  const editor = createEditor(checkpoint);
  const autoencoder = createAutoencoder(checkpoint);
  const tools: Tools = { set, native, record, editor, autoencoder };
  try {
    await measure(tasksOf(parts, selection, plan, tools), record, say);
  } finally {
    await Promise.all([editor.close(), autoencoder.close()]);
  }

  const report = reportOf(parts, selection, plan, tools);
  const evaluation: Evaluation = {
    date: new Date().toISOString(),
    revision: gitRevision(),
    machine: describeMachine(),
    checkpoint: { folder: path.basename(path.resolve(checkpoint)), digest },
    set: {
      digest: set.digest,
      scenes: selection.scenes.length,
      probe: selection.probe.length,
      chains: selection.chains.length,
    },
    settings: { numSteps: plan.numSteps, guidance: plan.guidance },
    ...report,
    goals: holdAgainstGoals(report, plan),
  };
  const reportFile = path.join(out, "report.json");
  await writeFileAtomically(reportFile, Buffer.from(`${JSON.stringify(evaluation, null, 2)}\n`));
  say(`wrote ${reportFile}`);
  if (parts.includes("scenes")) {
    const sheetFile = path.join(out, "sheet.png");
    await writeFileAtomically(sheetFile, await drawSheet(selection.scenes, plan, tools));
    say(`wrote ${sheetFile}`);
  }
  return evaluation;
}

async function measure(
  tasks: readonly Task[],
  record: EvaluationRecord,
  say: (sentence: string) => void,
): Promise<void> {
  const isDone = ({ key, isPictureKept }: Task): boolean =>
    record.has(key) && (!isPictureKept || record.hasPicture(key));
  const missing = tasks.filter((task) => !isDone(task));
  say(`${tasks.length} measurements, ${tasks.length - missing.length} of them from before`);
  const countdown = createCountdown(
    missing.reduce((sum, { cost }) => sum + cost, 0),
    say,
  );
  for (const { part, key, cost, isPictureKept, run } of missing) {
    const { measured, picture } = await run();
    // The image first: a line says that everything that belongs to its measurement is there.
    if (isPictureKept && picture) await record.addPicture(key, picture);
    record.add(key, measured);
    countdown.done(part, cost);
  }
}

function reportOf(parts: readonly Part[], selection: Selection, plan: Plan, tools: Tools): Report {
  const { record, set } = tools;
  const { guidance, numSteps } = plan;
  const judged = ({ id, kind }: Scene, key: string): Judged => ({ id, kind, measured: record.get(key) });
  const judgedOf = (part: Part, isWanted: (variant: Variant) => boolean = () => true): Judged[] =>
    variantsOf(part, selection, plan, set.scenes)
      .filter(({ variant }) => isWanted(variant))
      .map(({ scene, variant }) => judged(scene, editKey(scene, variant)));

  const report: Report = { baselines: {} };
  if (parts.includes("scenes")) {
    const all = judgedOf("scenes");
    report.overall = summarize(all);
    report.kinds = summarizeKinds(all);
    report.baselines.nothing = summarizeNothing(
      selection.scenes.map((scene): Judged<Judgement> => judged(scene, nothingKey(scene))),
    );
  }
  if (parts.includes("shuffled")) report.baselines.shuffled = summarize(judgedOf("shuffled"));
  if (parts.includes("autoencoder")) {
    const decibels = selection.scenes.map(
      (scene) => record.get<AutoencoderMeasurement>(autoencoderKey(scene)).decibels,
    );
    report.autoencoder = { count: decibels.length, decibels: meanOf(decibels) };
  }
  if (parts.includes("guidance")) {
    const judgedAt = (value: number): Judged[] => judgedOf("guidance", ({ guidance }) => guidance === value);
    report.guidance = plan.guidances.map((value) => summarizeGuidance(value, judgedAt(value)));
    report.guidanceTests = testGuidance(plan.rises, judgedAt);
  }
  if (parts.includes("steps")) {
    report.steps = plan.steps.map((steps) =>
      summarizeSteps(
        steps,
        judgedOf("steps", ({ numSteps }) => numSteps === steps),
      ),
    );
  }
  if (parts.includes("drift")) {
    report.drift = Array.from({ length: CHAIN_LENGTH }, (_, step) =>
      summarizeDrift(
        step + 1,
        selection.chains.map((chain) =>
          record.get<DriftMeasurement>(chainKey(chain, step + 1, { guidance, numSteps })),
        ),
      ),
    );
  }
  return report;
}

/** Reports now and then how far a long run is and how long it will take. */
export interface Countdown {
  /** Counts a finished task of this cost. */
  done(part: string, cost: number): void;
}

/** @param totalCost the cost of everything that is still to do */
export function createCountdown(
  totalCost: number,
  say: (sentence: string) => void,
  now: () => number = () => performance.now(),
): Countdown {
  const started = now();
  let doneCost = 0;
  let said = started;
  return {
    done(part, cost) {
      doneCost += cost;
      const time = now();
      if (time - said < INTERVAL_MS) return;
      said = time;
      const left = ((time - started) / 1000 / doneCost) * (totalCost - doneCost);
      say(`${part}: ${Math.floor((100 * doneCost) / totalCost)} % done, ${duration(left)} left`);
    },
  };
}
