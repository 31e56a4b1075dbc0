/** Which form of `retouch edit` a command line is. */
import { mkdir, writeFile } from "node:fs/promises";
import path from "node:path";
import { beforeEach, expect, it } from "vitest";
import { imagesAndPrompt, resultFolder } from "../../../src/cli/images-and-prompt.ts";
import { refusal } from "../../support/refusal.ts";
import { temporaryFolder } from "../../support/temporary.ts";

let folder: string;
const at = (name: string): string => path.join(folder, name);

beforeEach(async () => {
  folder = await temporaryFolder();
  await writeFile(at("a.png"), "");
  await writeFile(at("old"), "");
  await mkdir(at("pics"));
  await mkdir(at("out"));
});

it.each([
  [["a.png"], undefined],
  [["a.png"], "b.png"],
  [["a.png"], "old"],
  [["a.png"], "missing"],
  [["a.png"], "-"],
  [["a.png", "b.jpg"], undefined],
  [["a.png", "b.jpg"], "c.png"],
  [["a.png", "b.jpg"], "missing"],
  [[], "out/"],
])("images %j with -o %j belong to one edit", (images, output) => {
  const given = output === undefined || output === "-" ? output : at(output);
  expect(resultFolder(images.map(at), given)).toBeUndefined();
});

it.each([
  [["a.png"], "out"],
  [["a.png"], "out/"],
  [["a.png"], "missing/"],
  [["a.png", "b.jpg"], "out"],
  [["a.png", "b.jpg"], "missing/"],
  [["pics"], "missing"],
  [["pics/"], "out"],
  [["a.png", "pics"], "missing"],
])("images %j with -o %j are edited one by one", (images, output) => {
  // path.join keeps the slash at the end.
  expect(resultFolder(images.map(at), at(output))).toBe(at(output));
});

it.each(["old", "b.png", "-"])("a folder of images with -o %j is refused", (output) => {
  const given = output === "-" ? output : at(output);
  expect(() => resultFolder([at("pics")], given)).toThrow(
    refusal(
      "INVALID_PARAMETER",
      /^output must be a folder, since there is one among the images, not "/,
    ) as Error,
  );
});

it("a folder of images without -o is refused", () => {
  expect(() => resultFolder([at("pics")], undefined)).toThrow(
    refusal(
      "INVALID_PARAMETER",
      `"${at("pics")}" is a folder; name one for the results, such as -o edited/.`,
    ) as Error,
  );
});

it("the last argument is the prompt, also where a folder happens to have its name, unless it is written as a folder", () => {
  expect(imagesAndPrompt([at("a.png"), at("pics"), at("out")])).toEqual({
    images: [at("a.png"), at("pics")],
    prompt: at("out"),
  });
  expect(() => imagesAndPrompt([at("a.png"), at("pics/")])).toThrow(
    refusal("INVALID_PARAMETER", /^prompt: it is missing: ".*pics\/" is a folder\.$/) as Error,
  );
  expect(() => imagesAndPrompt([at("a.png"), "make", "it night"])).toThrow(
    refusal("INVALID_PARAMETER", '"make" is not an existing image; put the prompt in quotes.') as Error,
  );
});
