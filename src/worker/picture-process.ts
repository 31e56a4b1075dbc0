/** A process that turns images into PNG files, since no bytes from outside are decoded where HTTP is answered. */
import { decodeSource } from "../images/decode-source.ts";
import { encodeDeep } from "../images/encode.ts";
import { loadSharp } from "../images/sharp.ts";
import { answerParent } from "./answer-parent.ts";
import type { PictureAnswer, PictureOrder } from "./picture-converter.ts";

await loadSharp();
answerParent<PictureOrder, PictureAnswer>(async ({ bytes, maxPixels }) => {
  const { deep } = await decodeSource(bytes, { maxPixels });
  return { kind: "converted", bytes: await encodeDeep(deep, "png") };
});
