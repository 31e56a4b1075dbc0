/** The first edit of an engine: the runtime's first run is slow, and its time gives the first estimates. */
import { RetouchError } from "../errors.ts";
import { encodePicture } from "../images/encode.ts";
import type { Engine } from "../engine/engine.ts";
import type { EditSpeed } from "../engine/estimate.ts";
import { measureSpeed } from "./speed.ts";

/** What most jobs ask for. */
const SIZE = { width: 1024, height: 1024 };
const NUM_STEPS = 3;
/** Guidance that takes no second pass, whatever the model. */
const ONE_PASS = 1;

/** Edits a grey square and returns the measured speed. The first step is left out of the step time. */
export async function warmUp(
  engine: Pick<Engine, "checkpoint" | "edit">,
  options: { isSafetyChecked: boolean },
): Promise<EditSpeed> {
  const { nativeSize, scale } = engine.checkpoint;
  const grey = { width: nativeSize, height: nativeSize, data: new Uint8Array(nativeSize ** 2 * 3).fill(128) };
  const image = await encodePicture(grey, "png");
  const plain = { size: SIZE, numSteps: NUM_STEPS, guidance: ONE_PASS };
  const request = { image, prompt: "warm-up", seed: 0, ...plain, ...options };
  const ends: number[] = [];
  const started = performance.now();
  await engine.edit(request, { onStep: (step) => void ends.push(step.seconds) }).catch((error: unknown) => {
    // The lowest thresholds refuse even a grey square, which is no reason not to start.
    if (!(error instanceof RetouchError && error.code === "OUTPUT_FLAGGED")) throw error;
  });
  const totalMs = performance.now() - started;
  const stepSeconds = (ends.at(-1)! - ends[0]!) / (ends.length - 1);
  return measureSpeed(
    scale,
    { totalMs, denoiseMs: NUM_STEPS * stepSeconds * 1000 },
    { ...plain, images: [grey], isNegativeUsed: false },
  );
}
