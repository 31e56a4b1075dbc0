/** The picture that the command writes is the one that the reference implementation makes. */
import { readFile } from "node:fs/promises";
import path from "node:path";
import { describe, expect, it } from "vitest";
import { decodePicture } from "../../src/images/decode.ts";
import { type EditCase, editCases } from "../support/cases.ts";
import { psnr } from "../support/compare.ts";
import { fixtures, readTensors, root } from "../support/fixtures.ts";
import { temporaryFolder } from "../support/temporary.ts";
import { ONE_THREAD, retouch } from "./run.ts";

// Where the source has the size of the result, within the native area, nothing is resized on either side.
const sameSize: EditCase[] = [];
for (const edit of editCases) {
  const { width, height } = await decodePicture(await readFile(path.join(fixtures, edit.picture)));
  if (width === edit.width && height === edit.height) sameSize.push(edit);
}

describe("retouch edit", () => {
  it("is compared on every checkpoint, with and without true guidance", () => {
    expect(new Set(sameSize.map((edit) => edit.checkpoint)).size).toBeGreaterThanOrEqual(4);
    expect(sameSize.some((edit) => edit.negativePrompt && edit.trueCfgScale > 1)).toBe(true);
  });

  it.each(sameSize.filter((edit) => edit.prompt.trim() !== ""))(
    "makes the picture of $name",
    async (edit) => {
      const output = path.join(await temporaryFolder(), "edited.png");
      const { code, stderr } = await retouch([
        "edit",
        path.join(fixtures, edit.picture),
        edit.prompt,
        `--checkpoint=${path.join(root, edit.checkpoint)}`,
        `--size=${edit.width}x${edit.height}`,
        `--steps=${edit.steps}`,
        `--seed=${edit.seed}`,
        `--guidance=${edit.guidance}`,
        `--true-cfg-scale=${edit.trueCfgScale}`,
        `--output=${output}`,
        "--weights=fp32",
        "--no-keep-unchanged",
        "--quiet",
        ...ONE_THREAD,
        ...(edit.negativePrompt ? [`--negative-prompt=${edit.negativePrompt}`] : []),
      ]);
      expect({ code, stderr }).toEqual({ code: 0, stderr: "" });
      const { data } = await decodePicture(await readFile(output));
      const expected = (await readTensors(`cases/${edit.name}.safetensors`)).get("picture")!;
      expect(psnr(data, expected.data as Uint8Array)).toBeGreaterThanOrEqual(50);
    },
  );
});
