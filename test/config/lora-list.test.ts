import { mkdir, writeFile } from "node:fs/promises";
import path from "node:path";
import { describe, expect, it } from "vitest";
import { readConfig } from "../../src/config/config.ts";
import { loraPart, loras } from "../../src/config/lora-list.ts";
import { temporaryFolder } from "../support/temporary.ts";

async function folderOf(name: string, ...files: string[]): Promise<string> {
  const folder = path.join(await temporaryFolder(), name);
  await mkdir(folder);
  for (const file of files) await writeFile(path.join(folder, file), "");
  return folder;
}

describe("LoRAs", () => {
  it("are read as pairs of a name and a file", () => {
    expect(loras.parse("ink=loras/ink.safetensors, snow = /srv/a=b.safetensors,")).toEqual({
      ink: "loras/ink.safetensors",
      snow: "/srv/a=b.safetensors",
    });
  });

  it("may have commas in their paths", () => {
    expect(loras.parse("ink=/srv/a, b/ink.safetensors,snow=c,d.safetensors")).toEqual({
      ink: "/srv/a, b/ink.safetensors",
      snow: "c,d.safetensors",
    });
  });

  it("are those of a folder, by their files' names, whatever these are", async () => {
    const long = "n".repeat(230);
    const names = ["snow", "ink v2", "a,b", "c=d", long];
    const folder = await folderOf("a=b, c", ...names.map((name) => `${name}.safetensors`), "ink.txt");
    expect(loras.parse(folder)).toEqual(
      Object.fromEntries(names.map((name) => [name, path.join(folder, `${name}.safetensors`)])),
    );
  });

  it("are no leavings of macOS and no folders, and an ending in capitals is one", async () => {
    const folder = await folderOf(
      "loras",
      "._ink.safetensors",
      "ink.safetensors",
      "INK.SAFETENSORS",
      ".safetensors",
    );
    await mkdir(path.join(folder, "folder.safetensors"));
    await writeFile(path.join(folder, "ink.SafeTensors"), "");
    const found = loras.parse(folder)!;
    expect(Object.keys(found).toSorted()).toEqual(["INK", "ink", "ink.safetensors"]);
    expect(new Set(Object.values(found)).size).toBe(3);
  });

  it("may come from several folders and pairs at once", async () => {
    const [one, two] = [await folderOf("one", "a.safetensors"), await folderOf("two,", "b.safetensors")];
    expect(Object.keys(loras.parse(`${one},c=x.safetensors,${two}`)!)).toEqual(["a", "c", "b"]);
  });

  it("keep a name that a page would take for a path out of their names", async () => {
    const folder = await folderOf("loras", "a\\b.safetensors", "c\nd.safetensors");
    expect(Object.keys(loras.parse(folder)!)).toEqual(["a_b", "c_d"]);
  });

  it.each([
    ["ink=", "ink="],
    ["=ink.safetensors", "=ink.safetensors"],
    ["a/ink=b", "a/ink=b"],
    ["ink=a,ink=b", "ink=b"],
    ["ink=a.safetensors,/none", "/none"],
    ["/none/of/these", "/none/of/these"],
  ])("are not %j, for its part %j", (text, part) => {
    expect(loras.wrongPart!(text)).toBe(part);
    expect(loras.parse(text)).toBeUndefined();
  });

  it("are not an empty folder", async () => {
    expect(loras.parse(await temporaryFolder())).toBeUndefined();
  });
});

describe("a flag for a LoRA", () => {
  it.each([
    ["loras/ink.safetensors", "ink=loras/ink.safetensors"],
    ["loras/a,b.SAFETENSORS", "a_b=loras/a,b.SAFETENSORS"],
    ["style=loras/ink.safetensors", "style=loras/ink.safetensors"],
    ["/srv/a=b/ink.safetensors", "ink=/srv/a=b/ink.safetensors"],
    ["loras", "loras"],
  ])("%s is %s", (text, part) => expect(loraPart(text)).toBe(part));

  it("is a file with an equals sign in its name where there is one", async () => {
    const folder = await folderOf("loras", "a=b.safetensors");
    const file = path.join(folder, "a=b.safetensors");
    expect(loraPart(file)).toBe(`a_b=${file}`);
    expect(loras.parse(loraPart(file))).toEqual({ a_b: file });
  });
});

describe("a list with one wrong part", () => {
  it.each([
    ["RETOUCH_LORAS", "ink=a.safetensors,/none", '"/none"'],
    ["RETOUCH_ALLOWED_HOSTS", "a.example,b c", '"b c"'],
  ])("%s=%s is refused for that part", (variable, value, part) => {
    expect(() => readConfig({ [variable]: value })).toThrow(part);
  });
});
