/** The states of one edit: the one that it goes on from, if any, and those that it hands out as it goes. */
import { messageOf } from "../errors.ts";
import type { DrawState } from "../sampling/draw-state.ts";
import { stepOfAll, stepsTaken } from "./draws.ts";
import type { EditStep } from "./model.ts";
import {
  decodeState,
  differences,
  type EditState,
  encodeState,
  type Environment,
  type EnvironmentFact,
} from "./state-file.ts";

/** A state handed out after a step. */
export interface OfferedState {
  /** 1 to `of`, over all images. */
  step: number;
  of: number;
  /** Whether it finishes one of several images, so that losing it would cost that image. */
  isImageFinished: boolean;
  /** Seconds since this run's first step began. */
  seconds: number;
  /** Its bytes, for `resumeFrom`; takes milliseconds, and some more the first time, when a sample of the weights is read. */
  encode(): Promise<Uint8Array>;
}

/** What became of `resumeFrom`. */
export type ResumeOutcome =
  /** `step` counts those of all images. */
  | { kind: "resumed"; step: number }
  /** `reason` continues "The state ...". */
  | { kind: "refused"; reason: string };

export interface EditStatesOptions {
  /** Of each image. */
  numSteps: number;
  /** @default 1 */
  numImages?: number | undefined;
  /** Digest of everything that determines the picture. */
  edit: () => Promise<string>;
  environment: () => Promise<Environment>;
  resumeFrom?: Uint8Array | undefined;
  onResume?: ((outcome: ResumeOutcome) => void) | undefined;
  onState?: ((state: OfferedState) => void | Promise<void>) | undefined;
}

export interface EditStates {
  /** For the recipe; see `EditorOptions.resume`. */
  resume(latentShape: readonly number[]): DrawState | undefined;
  /** Hands a step's state out. */
  offer(step: EditStep): Promise<void>;
  /** Steps of all images that this run did not take itself, if any. */
  readonly resumedFrom: number | undefined;
  /** To be called when all steps are taken. @returns what the user should know, as sentences */
  notices(): Promise<string[]>;
}

/** Never fails for a state that cannot be used: the edit then starts from the beginning, and `onResume` says why. */
export async function createEditStates(options: EditStatesOptions): Promise<EditStates> {
  const { numSteps, numImages = 1, onResume, onState } = options;
  const stepOf = (state: EditState): number => stepsTaken(drawnOf(state), numSteps);
  const found = await usableState(options);
  let shape: readonly number[] | undefined;
  let resumed: EditState | undefined;

  const changedUntilNow = async (): Promise<EnvironmentFact[]> => {
    if (resumed === undefined) return [];
    const now = differences(resumed.environment, await options.environment());
    return [...new Set([...resumed.changed, ...now])];
  };

  return {
    resume(latentShape) {
      shape = latentShape;
      if (found === undefined) return undefined;
      if (String(found.latentShape) === String(latentShape)) {
        resumed = found;
        onResume?.({ kind: "resumed", step: stepOf(found) });
      } else {
        const [there, wanted] = [found.latentShape, latentShape].map((one) => `[${one.join(", ")}]`);
        onResume?.({ kind: "refused", reason: `has latents ${there} where ${wanted} are wanted` });
      }
      return resumed && drawnOf(resumed);
    },
    async offer(done) {
      const { step, of, seconds, state: own } = done;
      const { finished, states } = done.drawn ?? { finished: [], states: own ? [own] : [] };
      const [state, ...others] = states;
      if (onState === undefined || state === undefined || shape === undefined) return;
      const latentShape = shape;
      const encode = async (): Promise<Uint8Array> =>
        encodeState({
          ...state,
          of: numSteps,
          numImages,
          finished,
          others,
          latentShape,
          edit: await options.edit(),
          environment: await options.environment(),
          changed: await changedUntilNow(),
        });
      const isImageFinished = numImages > 1 && step === of;
      await onState({ ...stepOfAll(done), seconds, isImageFinished, encode });
    },
    get resumedFrom() {
      return resumed && stepOf(resumed);
    },
    async notices() {
      const changed = await changedUntilNow();
      return changed.length > 0 ? [changedNotice(changed)] : [];
    },
  };
}

const drawnOf = (state: EditState): DrawState => ({
  finished: state.finished,
  states: [state, ...state.others],
});

/** A state of the same edit. */
async function usableState(options: EditStatesOptions): Promise<EditState | undefined> {
  const { resumeFrom, numSteps, numImages = 1, onResume } = options;
  if (resumeFrom === undefined) return undefined;
  try {
    const state = decodeState(resumeFrom);
    if (state.edit !== (await options.edit())) {
      throw new Error("belongs to another edit, or to another checkpoint");
    }
    if (state.numImages !== numImages) {
      throw new Error(`is of ${imageCount(state.numImages)} where ${numImages} are wanted`);
    }
    if (state.of !== numSteps) throw new Error(`has ${state.of} steps where ${numSteps} are wanted`);
    return state;
  } catch (error) {
    onResume?.({ kind: "refused", reason: messageOf(error) });
    return undefined;
  }
}

const imageCount = (count: number): string => (count === 1 ? "one image" : `${count} images`);

const WORDS: Readonly<Record<EnvironmentFact, string>> = {
  build: "another version of Retouch",
  runtime: "another version of the runtime",
  device: "another device",
  processor: "another kind of processor",
  weights: "weights in other precision",
  tiles: "tiles of another size",
};

function changedNotice(changed: readonly EnvironmentFact[]): string {
  const what = changed
    .map((fact) => WORDS[fact])
    .join(", ")
    .replace(/, (?=[^,]*$)/, " and ");
  return `This edit was interrupted and went on with ${what}: its bytes may differ from those of an undisturbed run.`;
}
