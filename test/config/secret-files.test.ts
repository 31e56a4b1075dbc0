import { execFileSync } from "node:child_process";
import { chmod, mkdir, symlink, writeFile } from "node:fs/promises";
import path from "node:path";
import { describe, expect, it } from "vitest";
import { readConfig } from "../../src/config/config.ts";
import type { Setting } from "../../src/config/setting.ts";
import { type Config, SETTINGS } from "../../src/config/settings.ts";
import { asOrdinaryUser, noPermissionsHere } from "../support/ordinary-user.ts";
import { refusal } from "../support/refusal.ts";
import { temporaryFolder } from "../support/temporary.ts";

const KEY = "a-key-of-sixteen-or-more";

const all = Object.entries<Setting<unknown>>(SETTINGS) as [keyof Config, Setting<unknown>][];
const secrets = all.filter(([, { isSecret }]) => isSecret);
const fromFiles = all.filter(([, { isFromFile }]) => isFromFile);
/** What a setting needs beside it. */
const S3 = {
  RETOUCH_S3_BUCKET: "pictures",
  RETOUCH_S3_ACCESS_KEY_ID: "id",
  RETOUCH_S3_SECRET_ACCESS_KEY: "its-secret",
};

async function fileWith(content: string | Uint8Array): Promise<string> {
  const file = path.join(await temporaryFolder(), "secret");
  await writeFile(file, content);
  return file;
}

const refused = (message: string | RegExp): unknown => refusal("CONFIG_INVALID", message);

describe("a secret from a file", () => {
  it("can be every secret that there is", () => {
    expect(secrets.length).toBeGreaterThan(3);
    for (const [, { isFromFile, variable }] of secrets) expect(isFromFile, variable).toBe(true);
  });

  it.each(fromFiles)("is the value of %s", async (name, { variable, example }) => {
    const file = await fileWith(example!);
    const besides = variable.startsWith("RETOUCH_S3_") ? S3 : {};
    const config = readConfig({ ...besides, [variable]: "", [`${variable}_FILE`]: file });
    expect(config[name]).toBe(example);
  });

  it.each([
    ["without a line break", KEY],
    ["with one", `${KEY}\n`],
    ["with the one of Windows", `${KEY}\r\n`],
    ["with the mark of UTF-8", `\uFEFF${KEY}\n`],
  ])("is the file's text %s", async (_, content) => {
    expect(readConfig({ RETOUCH_API_KEY_FILE: await fileWith(content) }).apiKey).toBe(KEY);
  });

  it("is read through a link, as Kubernetes lays secrets", async () => {
    const file = await fileWith(KEY);
    const link = `${file}.link`;
    await symlink(file, link);
    expect(readConfig({ RETOUCH_API_KEY_FILE: link }).apiKey).toBe(KEY);
  });

  it("keeps blanks and all line breaks but the last, which are then judged as part of it", async () => {
    const sentence = "RETOUCH_API_KEY_FILE must name a file that holds 16 to 200 characters without spaces.";
    for (const content of [`${KEY}\n\n`, ` ${KEY}`, `${KEY} \n`, `${KEY}\nanother-key-of-sixteen`]) {
      const file = await fileWith(content);
      expect(() => readConfig({ RETOUCH_API_KEY_FILE: file }), content).toThrow(refused(sentence));
    }
  });

  it("is not set by an empty variable", () => {
    expect(readConfig({ RETOUCH_API_KEY_FILE: "" })).toEqual(readConfig({}));
  });
});

describe("a file that gives no secret is refused by its variable, with neither path nor content:", () => {
  const hunter = "hunter2-hunter2-hunter2";

  it.each(fromFiles)("%s, where the value is given as well", async (_, { variable, example }) => {
    const environment = { ...S3, [variable]: example!, [`${variable}_FILE`]: await fileWith(example!) };
    expect(() => readConfig(environment)).toThrow(
      refused(`${variable} and ${variable}_FILE must not be given together.`),
    );
  });

  it.each(fromFiles)("%s, where there is none", (_, { variable }) => {
    // The secret itself in the wrong variable is the likeliest path that leads nowhere.
    expect(() => readConfig({ RETOUCH_S3_BUCKET: "pictures", [`${variable}_FILE`]: hunter })).toThrow(
      refused(`${variable}_FILE must name a file that exists.`),
    );
  });

  it.each([
    ["an empty one", "", "a file that is not empty"],
    ["one with a line break alone", "\n", "a file that is not empty"],
    ["a large one", `${hunter}${"x".repeat(65_536)}`, "a file of at most 64 KB"],
    ["one in UTF-16", Buffer.from(`\uFEFF${hunter}`, "utf16le"), "a text file in UTF-8"],
  ])("%s", async (_, content, wanted) => {
    const file = await fileWith(content);
    expect(() => readConfig({ RETOUCH_API_KEY_FILE: file })).toThrow(
      refused(`RETOUCH_API_KEY_FILE must name ${wanted}.`),
    );
  });

  it("a folder, and what is no file at all, without waiting for it", async () => {
    const sentence = "DATABASE_URL_FILE must name a regular file, not a folder or a device.";
    const folder = await temporaryFolder();
    expect(() => readConfig({ DATABASE_URL_FILE: folder })).toThrow(refused(sentence));
    if (process.platform === "win32") return;
    const pipe = path.join(folder, "pipe");
    execFileSync("mkfifo", [pipe]);
    for (const file of [pipe, "/dev/zero"]) {
      expect(() => readConfig({ DATABASE_URL_FILE: file }), file).toThrow(refused(sentence));
    }
  });

  it("a path through a file, and one that nobody could have", async () => {
    const file = await fileWith(KEY);
    for (const [given, wanted] of [
      [path.join(file, "key"), "a file that exists"],
      ["x".repeat(5000), "a file that this process may read"],
    ] as const) {
      expect(() => readConfig({ RETOUCH_API_KEY_FILE: given })).toThrow(
        refused(`RETOUCH_API_KEY_FILE must name ${wanted}.`),
      );
    }
  });

  it("one that belongs to somebody else", async ({ skip }) => {
    if (noPermissionsHere) skip(noPermissionsHere);
    const folder = path.join(await temporaryFolder(), "closed");
    await mkdir(folder);
    const file = path.join(folder, "secret");
    await writeFile(file, KEY);
    await chmod(folder, 0o700);
    await chmod(file, 0);
    await asOrdinaryUser(async () => {
      expect(() => readConfig({ RETOUCH_API_KEY_FILE: file })).toThrow(
        refused("RETOUCH_API_KEY_FILE must name a file that this process may read."),
      );
    });
  });

  it("one with a value that the setting refuses, or that contradicts another", async () => {
    const file = await fileWith(`mysql://me:${hunter}@db/retouch`);
    expect(() => readConfig({ DATABASE_URL_FILE: file })).toThrow(
      refused(
        "DATABASE_URL_FILE must name a file that holds an address such as postgres://user:password@host:5432/name.",
      ),
    );
    const id = await fileWith("an\u0000id");
    expect(() =>
      readConfig({ ...S3, RETOUCH_S3_ACCESS_KEY_ID: "", RETOUCH_S3_ACCESS_KEY_ID_FILE: id }),
    ).toThrow(refused("RETOUCH_S3_ACCESS_KEY_ID_FILE must name a file that holds text on one line."));
    const secret = await fileWith(hunter);
    expect(() => readConfig({ RETOUCH_S3_BUCKET: "b", RETOUCH_S3_SECRET_ACCESS_KEY_FILE: secret })).toThrow(
      refused("RETOUCH_S3_ACCESS_KEY_ID and RETOUCH_S3_SECRET_ACCESS_KEY must be given together."),
    );
  });

  it("all of them at once, beside what else is wrong", () => {
    expect(() =>
      readConfig({ RETOUCH_API_KEY_FILE: "nowhere", DATABASE_URL_FILE: "nowhere", RETOUCH_PORT: "x" }),
    ).toThrow(
      refused(
        [
          "RETOUCH_API_KEY_FILE must name a file that exists.",
          "DATABASE_URL_FILE must name a file that exists.",
          'RETOUCH_PORT must be a whole number from 0 to 65535, not "x".',
        ].join("\n"),
      ),
    );
  });
});

describe("a variable that ends in _FILE", () => {
  it("is suggested for one that is misspelt", () => {
    expect(() => readConfig({ RETOUCH_API_KEY_FIEL: "key" })).toThrow(
      refused("RETOUCH_API_KEY_FIEL is not a setting; did you mean RETOUCH_API_KEY_FILE?"),
    );
  });

  it("is not a setting for what is no secret", () => {
    expect(() => readConfig({ RETOUCH_PORT_FILE: "port" })).toThrow(
      refused("RETOUCH_PORT_FILE is not a setting: RETOUCH_PORT is not read from a file."),
    );
  });

  it("counts for the bucket as the value does", async () => {
    const file = await fileWith("its-secret");
    expect(() => readConfig({ RETOUCH_S3_SECRET_ACCESS_KEY_FILE: file })).toThrow(
      refused(
        /^RETOUCH_S3_ACCESS_KEY_ID and .* together\.\nRETOUCH_S3_SECRET_ACCESS_KEY_FILE must not be given without/,
      ),
    );
  });
});
