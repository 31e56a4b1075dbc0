/**
 * Edits pictures ten times in a row and measures what should stay, turn by turn: `npm run eval:drift -- [PICTURES] [STEPS]`.
 * Prints one JSON document.
 */
import { createEngine, encodePicture } from "../../src/index.ts";
import { decodePicture } from "../../src/images/decode.ts";
import { inRepository } from "../../tools/paths.ts";
import { openSet } from "../set.ts";
import { instructionsOf, keptMask, measureTurns, NUM_TURNS, summarize, type Way, WAYS } from "./measure.ts";

const [pictures, numSteps] = [process.argv[2] ?? "8", process.argv[3] ?? "8"].map(Number) as [number, number];
if (![pictures, numSteps].every((count) => Number.isInteger(count) && count > 0)) {
  throw new Error("Usage: npm run eval:drift -- [PICTURES] [STEPS], two whole numbers above 0.");
}
/** A cell of the autoencoder, 8 pixels of working size, in pixels of the set's pictures: what an edit's rim may touch. */
const MARGIN = 12;

const set = await openSet(inRepository("evaluation", "set"));
const engine = await createEngine({ safety: { isOn: false } });
const measured: Record<Way, Awaited<ReturnType<typeof measureTurns>>>[] = [];
const scenes: { id: number; instruction: string }[] = [];
for (const scene of set.scenes) {
  if (measured.length === pictures) break;
  const instructions = instructionsOf(scene);
  if (instructions === undefined) continue;
  const { source, truth } = await set.scene(scene);
  const kept = keptMask(source, truth, MARGIN);
  if (kept === undefined) continue;
  const { width, height } = source;
  const edit: Parameters<typeof measureTurns>[0] = async (picture, order) => {
    const image = await encodePicture(picture, "png");
    const { image: result, notices } = await engine.edit({
      ...order,
      image,
      size: { width, height },
      numSteps,
    });
    return { picture: await decodePicture(result), notices };
  };
  const ways = Object.keys(WAYS) as Way[];
  const ofWays: [Way, Awaited<ReturnType<typeof measureTurns>>][] = [];
  for (const way of ways) {
    ofWays.push([way, await measureTurns(edit, { source, kept, instructions, seed: scene.seed }, way)]);
  }
  measured.push(Object.fromEntries(ofWays) as (typeof measured)[number]);
  scenes.push({ id: scene.id, instruction: scene.instruction });
  process.stderr.write(`${measured.length} of ${pictures}: ${scene.instruction}\n`);
}
await engine.close();
const report = {
  checkpoint: engine.checkpoint.name,
  numTurns: NUM_TURNS,
  numSteps,
  scenes,
  ...summarize(measured),
};
process.stdout.write(`${JSON.stringify(report)}\n`);
