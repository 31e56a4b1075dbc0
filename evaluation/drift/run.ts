/**
 * Edits pictures ten times in a row and measures what should stay, turn by turn: `npm run eval:drift -- [PICTURES] [STEPS] [WAYS]`.
 * Prints one JSON document.
 */
import { createEngine, encodeMap, encodePicture } from "../../src/index.ts";
import { decodePicture } from "../../src/images/decode.ts";
import { inRepository } from "../../tools/paths.ts";
import { openSet } from "../set.ts";
import {
  instructionsOf,
  keptMask,
  type MeasuredPicture,
  measureTurns,
  NUM_TURNS,
  summarize,
  WAY_NAMES,
} from "./measure.ts";

const [pictures, numSteps] = [process.argv[2] ?? "8", process.argv[3] ?? "8"].map(Number) as [number, number];
if (![pictures, numSteps].every((count) => Number.isInteger(count) && count > 0)) {
  throw new Error("Usage: npm run eval:drift -- [PICTURES] [STEPS] [WAYS], two whole numbers above 0.");
}
const wanted = process.argv[4]?.split(",") ?? WAY_NAMES;
const ways = WAY_NAMES.filter((way) => wanted.includes(way));
if (ways.length !== wanted.length) throw new Error(`The ways are ${WAY_NAMES.join(", ")}.`);
/** A cell of the autoencoder, 8 pixels of working size, in pixels of the set's pictures: what an edit's rim may touch. */
const MARGIN = 12;

const set = await openSet(inRepository("evaluation", "set"));
const engine = await createEngine({ safety: { isOn: false } });
const measured: MeasuredPicture[] = [];
const scenes: { id: number; instruction: string }[] = [];
for (const scene of set.scenes) {
  if (measured.length === pictures) break;
  const instructions = instructionsOf(scene);
  if (instructions === undefined) continue;
  const { source, truth } = await set.scene(scene);
  const kept = keptMask(source, truth, MARGIN);
  if (kept === undefined) continue;
  const { width, height } = source;
  const edit: Parameters<typeof measureTurns>[0] = async (picture, { region, ...order }) => {
    const image = await encodePicture(picture, "png");
    const mask = region && (await encodeMap({ width, height, data: region.map((mark) => 255 * mark) }));
    const {
      image: result,
      notices,
      kept: preserved,
    } = await engine.edit({
      ...order,
      isMaskWanted: order.preserve !== "off",
      image,
      mask,
      size: { width, height },
      numSteps,
    });
    return { picture: await decodePicture(result), notices, map: preserved?.map?.data };
  };
  const turns: { [Way in keyof MeasuredPicture]: MeasuredPicture[Way] } = {};
  for (const way of ways) {
    turns[way] = await measureTurns(edit, { source, kept, instructions, seed: scene.seed }, way);
  }
  measured.push(turns);
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
