import { chmod, mkdir, symlink, writeFile } from "node:fs/promises";
import path from "node:path";
import { describe, expect, it } from "vitest";
import { findPictures } from "../../../src/cli/batch/image-folder.ts";
import { LIMITS } from "../../../src/cli/batch/limits.ts";
import { refusal } from "../../support/refusal.ts";
import { temporaryFolder } from "../../support/temporary.ts";
import { asOrdinaryUser, noPermissionsHere } from "../../support/ordinary-user.ts";

async function folderWith(...files: string[]): Promise<string> {
  const folder = await temporaryFolder();
  for (const file of files) {
    await mkdir(path.join(folder, path.dirname(file)), { recursive: true });
    await writeFile(path.join(folder, file), "");
  }
  return folder;
}
const none = async (): Promise<boolean> => false;

describe("the pictures of a folder", () => {
  it("are found by their names in all folders, in order, without hidden ones", async () => {
    const folder = await folderWith(
      "b.PNG",
      "a.jpg",
      "B/c.webp",
      "B/d/e.tiff",
      "notes.txt",
      "B/README",
      ".hidden.png",
      ".git/x.png",
      "._a.jpg",
    );
    expect(await findPictures(folder, none)).toEqual({
      files: ["B/c.webp", "B/d/e.tiff", "a.jpg", "b.PNG"],
      unreadable: [],
      others: 2,
    });
  });

  it("are found once, whatever circles symbolic links make", async () => {
    const folder = await folderWith("a.png", "sub/b.png");
    await symlink(folder, path.join(folder, "sub/up"));
    await symlink(".", path.join(folder, "self"));
    await symlink("loop", path.join(folder, "loop"));
    await symlink("nowhere", path.join(folder, "gone.png"));
    await symlink(path.join(folder, "a.png"), path.join(folder, "sub/link.png"));
    expect(await findPictures(folder, none)).toEqual({
      // What a broken link leads to is said when it is read; `loop` has no name of a picture.
      files: ["a.png", "gone.png", "sub/b.png", "sub/link.png"],
      unreadable: [],
      others: 1,
    });
  });

  it("are those of other folders that links lead to, too", async () => {
    const other = await folderWith("x.png");
    const folder = await folderWith("a.png");
    await symlink(other, path.join(folder, "linked"));
    expect((await findPictures(folder, none)).files).toEqual(["a.png", "linked/x.png"]);
  });

  it("are none of the folders and files that are left out", async () => {
    const folder = await folderWith("a.png", "out/a.edited.png", "b.edited.png");
    const own = new Set([path.join(folder, "out"), path.join(folder, "b.edited.png")]);
    expect((await findPictures(folder, async (file) => own.has(file))).files).toEqual(["a.png"]);
  });

  it("are refused beyond the depth that a folder may have", async () => {
    const deep = `${"d/".repeat(LIMITS.depth)}a.png`;
    expect((await findPictures(await folderWith(deep), none)).files).toEqual([deep]);
    await expect(findPictures(await folderWith(`d/${deep}`), none)).rejects.toEqual(
      refusal("INVALID_PARAMETER", /has folders more than 32 deep; name its folders one by one\.$/),
    );
  });

  it("leave out a folder that cannot be read, and name it", async ({ skip }) => {
    if (noPermissionsHere) skip(noPermissionsHere);
    const folder = await folderWith("a.png", "locked/b.png");
    await chmod(path.join(folder, "locked"), 0);
    await chmod(folder, 0o755);
    expect(await asOrdinaryUser(() => findPictures(folder, none))).toMatchObject({
      files: ["a.png"],
      unreadable: [{ folder: path.join(folder, "locked"), reason: "permission is denied" }],
    });
    await chmod(path.join(folder, "locked"), 0o700);
  });
});
