/**
 * Redraws the images in the README and the checkpoint's card that the engine draws, after a training: `npm run pictures`.
 * The playground's image needs Chromium. The card's sheet is the training's own, `python -m training.sheet`.
 */
import { createEngine } from "../../src/index.ts";
import { drawPhotograph, drawReadmeEdits, drawSeeds } from "./edits.ts";
import { drawPlayground } from "./playground.ts";

const engine = await createEngine();
try {
  for (const draw of [drawReadmeEdits, drawSeeds, drawPhotograph]) {
    for (const file of await draw(engine)) process.stdout.write(`${file}\n`);
  }
} finally {
  await engine.close();
}
process.stdout.write(`${await drawPlayground()}\n`);
