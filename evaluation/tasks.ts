/** The measurements of a run. Each has a key, by which its result is found; parts share the measurements that they have in common. */
import type { Picture, Size } from "../src/index.ts";
import type { NativeScale } from "../src/engine/sizes.ts";
import { type Autoencoder, drawnSize, type Editor } from "./checkpoint.ts";
import {
  type Answers,
  changeMask,
  decibelsOf,
  distanceOf,
  judge,
  type Judgement,
  type Mask,
  outside,
  reducePicture,
  smallOf,
  union,
} from "./measures.ts";
import type { Part, Plan } from "./options.ts";
import type { EvaluationRecord } from "./record.ts";
import {
  autoencoderKey,
  chainKey,
  editKey,
  nothingKey,
  type Selection,
  type Variant,
  variantsOf,
} from "./selection.ts";
import { type Chain, CHAIN_LENGTH, type EvaluationSet, NOTHING, type Scene } from "./set.ts";

export interface Task {
  part: Part;
  key: string;
  /** How long it takes relative to the others: about its number of denoising steps. */
  cost: number;
  /** Whether its image is needed again. */
  isPictureKept: boolean;
  run(): Promise<{ measured: object; picture?: Picture }>;
}

export interface Tools {
  set: EvaluationSet;
  native: NativeScale;
  record: EvaluationRecord;
  editor: Editor;
  autoencoder: Autoencoder;
}

export type EditMeasurement = Judgement & { seconds: number };
export interface AutoencoderMeasurement {
  decibels: number;
}
/** Compared with the truth after as many edits. */
export interface DriftMeasurement {
  decibels: number;
  /** Decibels outside of what any of the edits so far changes; null where there is no such pixel. */
  kept: number | null;
  /** At 32x32, of 255. */
  distance: number;
}

/** All measurements of the parts, each key once. */
export function tasksOf(parts: readonly Part[], selection: Selection, plan: Plan, tools: Tools): Task[] {
  const tasks = parts.flatMap((part): Task[] => {
    if (part === "autoencoder") return selection.scenes.map((scene) => autoencoderTask(scene, tools));
    if (part === "drift") return selection.chains.flatMap((chain) => chainTasks(chain, plan, tools));
    const edits = variantsOf(part, selection, plan, tools.set.scenes).map(({ scene, variant }) =>
      editTask(part, scene, variant, tools),
    );
    return part === "scenes"
      ? [...selection.scenes.map((scene) => nothingTask(scene, tools)), ...edits]
      : edits;
  });
  const byKey = new Map<string, Task>();
  for (const task of tasks) if (!byKey.has(task.key)) byKey.set(task.key, task);
  return [...byKey.values()];
}

/** What encoding, decoding and judging cost per edit, in steps. */
const EDIT_COST = 3;

function editTask(part: Part, scene: Scene, variant: Variant, tools: Tools): Task {
  const { guidance, numSteps, instructionOf } = variant;
  return {
    part,
    key: editKey(scene, variant),
    cost: numSteps + EDIT_COST,
    isPictureKept: part === "scenes",
    async run() {
      const answers = await answersOf(scene, tools);
      const { instruction: prompt } = instructionOf ?? scene;
      const order = { prompt, seed: scene.seed, guidance, numSteps };
      const { picture, seconds } = await tools.editor.edit(answers.source, order);
      return { measured: { ...judge(picture, answers), seconds } satisfies EditMeasurement, picture };
    },
  };
}

/** The first baseline: the source itself as the result. */
function nothingTask(scene: Scene, tools: Tools): Task {
  return {
    part: "scenes",
    key: nothingKey(scene),
    cost: 1,
    isPictureKept: false,
    async run() {
      const answers = await answersOf(scene, tools);
      return { measured: judge(answers.source, answers) };
    },
  };
}

function autoencoderTask(scene: Scene, tools: Tools): Task {
  return {
    part: "autoencoder",
    key: autoencoderKey(scene),
    cost: 2,
    isPictureKept: false,
    async run() {
      const { truth } = await answersOf(scene, tools);
      const passed = await tools.autoencoder.passThrough(truth);
      return { measured: { decibels: decibelsOf(passed, truth)! } satisfies AutoencoderMeasurement };
    },
  };
}

/** Each edit starts from the result of the previous one. */
function chainTasks(
  chain: Chain,
  { guidance, numSteps }: Plan,
  { set, native, record, editor }: Tools,
): Task[] {
  return chain.steps.map(({ instruction }, step) => ({
    part: "drift" as const,
    key: chainKey(chain, step + 1, { guidance, numSteps }),
    cost: numSteps + EDIT_COST,
    isPictureKept: true,
    async run() {
      const { source, truths } = await set.chain(chain);
      const drawn = (picture: Picture): Picture => drawnPicture(picture, chain, native);
      const before =
        step === 0 ? drawn(source) : await record.picture(chainKey(chain, step, { guidance, numSteps }));
      const order = { prompt: instruction, seed: chain.id * CHAIN_LENGTH + step, guidance, numSteps };
      const { picture } = await editor.edit(before, order);
      const truth = drawn(truths[step]!);
      const masks = truths.slice(0, step + 1).map((truth): Mask => changeMask(drawn(source), drawn(truth)));
      const measured: DriftMeasurement = {
        decibels: decibelsOf(picture, truth)!,
        kept: decibelsOf(picture, truth, outside(masks.reduce(union))),
        distance: distanceOf(smallOf(picture), smallOf(truth)),
      };
      return { measured, picture };
    },
  }));
}

async function answersOf(scene: Scene, { set, native }: Tools): Promise<Answers> {
  const { source, truth, candidates } = await set.scene(scene);
  return {
    isNothing: scene.kind === NOTHING,
    source: drawnPicture(source, scene, native),
    truth: drawnPicture(truth, scene, native),
    candidates,
  };
}

/** An image of the set at the size at which the network draws it. */
export function drawnPicture(picture: Picture, size: Size, native: NativeScale): Picture {
  const { width, height } = drawnSize(size, native);
  return reducePicture(picture, width, height);
}
