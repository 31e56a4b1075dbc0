import { execFileSync } from "node:child_process";
import { existsSync } from "node:fs";
import { chmod, mkdtemp, rm, symlink, writeFile } from "node:fs/promises";
import { tmpdir } from "node:os";
import path from "node:path";
import { Readable } from "node:stream";
import { pathToFileURL } from "node:url";
import { afterAll, beforeAll, describe, expect, it } from "vitest";
import { asOrdinaryUser, noPermissionsHere } from "../support/ordinary-user.ts";
import { expectUnread } from "./expect-unread.ts";
import { blankPng } from "./samples.ts";
import { readImageSource } from "../../src/images/source.ts";

const content = new TextEncoder().encode("a picture of a bird");
let folder: string;

beforeAll(async () => {
  folder = await mkdtemp(path.join(tmpdir(), "retouch-source-"));
  await writeFile(path.join(folder, "a bird.png"), content);
});
afterAll(() => rm(folder, { recursive: true }));

describe("readImageSource, files", () => {
  it("reads a path, a relative one too, and a file: URL", async () => {
    const file = path.join(folder, "a bird.png");
    for (const source of [file, path.relative(process.cwd(), file), pathToFileURL(file).href]) {
      const { bytes, name, path: found } = await readImageSource(source);
      expect(new Uint8Array(bytes)).toEqual(content);
      expect(path.resolve(name)).toBe(file);
      expect(found).toBe(name);
    }
  });

  it.each([
    ["a missing file", "none.png", "there is no such file"],
    ["a folder", ".", "it is a folder"],
    ["a path under a file", "a bird.png/x.png", "a part of its path is a file, not a folder"],
    ["a name that is too long", "n".repeat(300), "its name is too long"],
  ])("refuses %s", async (_, relative, reason) => {
    const file = path.join(folder, relative);
    await expectUnread(file, "IMAGE_UNREADABLE", `${file} cannot be read: ${reason}.`);
  });

  it("refuses links that go round in a circle", async () => {
    const link = path.join(folder, "link");
    await symlink("link", link);
    await expectUnread(link, "IMAGE_UNREADABLE", /its symbolic links go round in a circle/);
  });

  it("refuses an empty path, a bad file address, and schemes that it does not know", async () => {
    await expectUnread("", "IMAGE_UNREADABLE", "The image's path is empty.");
    await expectUnread("file://host/a.png", "IMAGE_UNREADABLE", "file://host/a.png is not a valid file URL.");
    await expectUnread("s3://bucket/a.png", "IMAGE_UNREADABLE", /addresses with s3: are not supported/);
  });

  it("refuses a file without permission", async ({ skip }) => {
    if (noPermissionsHere) return skip(noPermissionsHere);
    const file = path.join(folder, "secret.png");
    await writeFile(file, content, { mode: 0o000 });
    await chmod(folder, 0o755);
    await asOrdinaryUser(() =>
      expectUnread(file, "IMAGE_UNREADABLE", `${file} cannot be read: permission is denied.`),
    );
  });

  it("counts bytes: at the limit, one more, and without an end", async () => {
    const file = path.join(folder, "a bird.png");
    expect((await readImageSource(file, { maxBytes: 19 })).bytes.length).toBe(19);
    const refusal = `${file} is larger than the limit of 18 bytes.`;
    await expectUnread(file, "IMAGE_TOO_LARGE", refusal, { maxBytes: 18 });
    if (existsSync("/dev/zero")) {
      const endless = "/dev/zero is larger than the limit of 1 MiB.";
      await expectUnread("/dev/zero", "IMAGE_TOO_LARGE", endless, { maxBytes: 2 ** 20 });
    }
  });

  it("refuses what is no picture by its name, where it is verified", async () => {
    const file = path.join(folder, "a bird.png");
    const sentence = `${file} is not an image; JPEG, PNG, WebP, AVIF, GIF and TIFF are accepted.`;
    await expectUnread(file, "IMAGE_INVALID", sentence, { isVerified: true });
    const picture = path.join(folder, "picture");
    await writeFile(picture, blankPng(3, 2));
    expect((await readImageSource(picture, { isVerified: true })).bytes.length).toBe(blankPng(3, 2).length);
  });

  it("stops waiting for a pipe that nobody writes to when it is aborted", async (context) => {
    const pipe = path.join(folder, "pipe");
    try {
      execFileSync("mkfifo", [pipe], { stdio: "ignore" });
    } catch {
      return context.skip("another operating system: this one has no mkfifo");
    }
    // A writer that stays silent; opening a pipe without any blocks a thread until one comes.
    const { open } = await import("node:fs/promises");
    const silent = await open(pipe, "r+");
    await expectUnread(pipe, "ABORTED", /aborted/, { signal: AbortSignal.timeout(50) });
    await silent.close();
  });
});

describe("readImageSource, standard input", () => {
  it("reads `-` to its end", async () => {
    const {
      bytes,
      name,
      path: found,
    } = await readImageSource("-", { stdin: Readable.from([content, content]) });
    expect([bytes.length, name, found]).toEqual([38, "standard input", undefined]);
  });

  it("stops at the limit, at a failure and when it is aborted", async () => {
    const stdin = Readable.from([content, content]);
    await expectUnread("-", "IMAGE_TOO_LARGE", /^standard input is larger/, { stdin, maxBytes: 20 });
    const broken = new Readable({ read: () => broken.destroy(new Error("the pipe is gone")) });
    await expectUnread("-", "IMAGE_UNREADABLE", "standard input cannot be read: the pipe is gone.", {
      stdin: broken,
    });
    const silent = new Readable({ read: () => {} });
    await expectUnread("-", "ABORTED", /aborted/, { stdin: silent, signal: AbortSignal.timeout(20) });
    await expectUnread("-", "ABORTED", /aborted/, { signal: AbortSignal.abort() });
  });
});

describe("readImageSource, data URLs", () => {
  const base64 = Buffer.from(content).toString("base64");
  it.each([
    ["base64", `data:image/png;base64,${base64}`],
    ["base64 without padding", `data:image/png;base64,${base64.replaceAll("=", "")}`],
    ["base64 in lines", `data:image/png;base64,${base64.replaceAll(/(.{8})/g, "$1\n")}`],
    ["base64 among blanks", `data:image/png;base64, ${base64.split("").join(" \t")} `],
    ["percent-encoded base64", `data:;base64,${base64.replaceAll("=", "%3D")}`],
    ["an upper-case scheme and parameters", `DATA:image/png;name=x;BASE64,${base64}`],
    ["base64 before other parameters", `data:image/png;base64;charset=utf-8,${base64}`],
    ["an odd media type", `data:application/octet-stream; charset = "utf-8" ;base64,${base64}`],
    ["a media type of letters alone", `data:Image/JPG;base64 ,${base64}`],
    [
      "url-safe and percent-encoded base64",
      `data:;base64,${base64.replaceAll("=", "%3d").replaceAll("a", "%61")}`,
    ],
    ["percent-encoded bytes", `data:,${encodeURIComponent("a picture of a bird")}`],
    ["plain text", "data:text/plain,a picture of a bird"],
  ])("reads %s", async (_, url) => {
    const { bytes, name } = await readImageSource(url);
    expect(new Uint8Array(bytes)).toEqual(content);
    expect(name).toBe("the data URL");
  });

  it("reads every byte, however it is written", async () => {
    const all = Buffer.from(Array.from({ length: 256 }, (_, i) => i));
    const percent = [...all].map((byte) => `%${byte.toString(16).padStart(2, "0")}`).join("");
    for (const url of [`data:,${percent}`, `data:;base64,${all.toString("base64url")}`]) {
      expect(Buffer.from((await readImageSource(url)).bytes)).toEqual(all);
    }
  });

  it.each([
    ["no comma", "data:image/png;base64", "it has no comma before its data"],
    ["what is no base64", "data:;base64,a*b=", "its data is not base64"],
    ["base64 that is cut short", "data:;base64,YWJjZ", "its data is not base64"],
    ["base64 that goes on after its end", "data:;base64,YQ==YQ==", "its data is not base64"],
    ["a letter whose low byte is a digit of base64", "data:;base64,\u0141WJj", "its data is not base64"],
    [
      "base64 that is not called so",
      `data:image/png,${blankPng(3, 2).toString("base64")}`,
      "its data is base64, and ;base64 is missing before the comma",
    ],
    [
      "a data URL in a data URL",
      "data:image/png;base64,data:image/png;base64,iVBO",
      "its data is a data URL again",
    ],
    ["a bad escape", "data:,100%", "a % is not followed by two hexadecimal digits"],
  ])("refuses %s", (_, url, reason) =>
    expectUnread(url, "IMAGE_UNREADABLE", `the data URL cannot be read: ${reason}.`),
  );

  it("counts decoded bytes", async () => {
    const url = `data:;base64,${base64}`;
    expect((await readImageSource(url, { maxBytes: 19 })).bytes.length).toBe(19);
    await expectUnread(url, "IMAGE_TOO_LARGE", "the data URL is larger than the limit of 18 bytes.", {
      maxBytes: 18,
    });
    await expectUnread(`data:,${"a".repeat(20)}`, "IMAGE_TOO_LARGE", /larger/, { maxBytes: 19 });
  });
});
