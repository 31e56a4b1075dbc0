/** A process that says whether masks can be used, since no bytes from outside are decoded where HTTP is answered. */
import { checkMaskFile } from "../engine/masking.ts";
import { loadSharp } from "../images/sharp.ts";
import { answerParent } from "./answer-parent.ts";
import type { MaskAnswer, MaskOrder } from "./mask-checker.ts";

await loadSharp();
answerParent<MaskOrder, MaskAnswer>(async ({ given, maxPixels }) => {
  await checkMaskFile(given, { maxPixels });
  return { kind: "usable" };
});
