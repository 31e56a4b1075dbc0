/** What users read about the settings is what the settings are. */
import { readFile } from "node:fs/promises";
import path from "node:path";
import { describe, expect, it } from "vitest";
import { environmentExample, settingsPage } from "../../scripts/settings-page.mjs";
import { readConfig } from "../../src/config/config.ts";
import type { Setting } from "../../src/config/setting.ts";
import { SECTIONS, SETTINGS } from "../../src/config/settings.ts";
import { root } from "../support/fixtures.ts";

const textOf = (file: string): Promise<string> => readFile(path.join(root, file), "utf8");
const all: Setting<unknown>[] = Object.values(SETTINGS);
const variables = all.map(({ variable }) => variable);

describe("the table of settings", () => {
  it("has each variable once, under one heading, with a name of ours or the database's usual one", () => {
    expect(new Set(variables).size).toBe(variables.length);
    expect(Object.values(SECTIONS).flatMap((settings) => Object.keys(settings))).toEqual(
      Object.keys(SETTINGS),
    );
    for (const variable of variables) expect(variable).toMatch(/^(RETOUCH_[A-Z0-9_]+|DATABASE_URL)$/);
  });

  it("has a default or an example for each, and its parser accepts them", () => {
    for (const { variable, parser, default: byDefault, example } of all) {
      expect(byDefault || example, variable).toBeTruthy();
      for (const text of [byDefault, example]) {
        if (text !== undefined) expect(parser.parse(text), `${variable}=${text}`).toBeDefined();
      }
    }
  });

  it("marks as a secret what has the name of one", () => {
    const secrets = all.filter(({ isSecret }) => isSecret).map(({ variable }) => variable);
    expect(secrets.toSorted()).toEqual(
      variables.filter((name) => /SECRET|API_KEY$|RECEIPT_KEY$|DATABASE_URL$/.test(name)).toSorted(),
    );
  });
});

describe("docs/configuration.md", () => {
  it("shows every setting as it is (else: node scripts/settings-page.mjs)", async () => {
    const page = await textOf("docs/configuration.md");
    expect(page).toBe(await settingsPage(page, SECTIONS));
    for (const variable of variables) expect(page).toMatch(new RegExp(`^\\| \`${variable}\` `, "m"));
  });
});

describe(".env.example", () => {
  it("shows every setting as it is (else: node scripts/settings-page.mjs)", async () => {
    expect(await textOf(".env.example")).toBe(environmentExample(SECTIONS));
  });

  it("is accepted with every line switched on", async () => {
    const lines = (await textOf(".env.example")).matchAll(/^#([A-Z][A-Z0-9_]+)=(.+)$/gm);
    const environment = Object.fromEntries([...lines].map(([, name, value]) => [name, value] as const));
    expect(Object.keys(environment)).toEqual(variables);
    expect(() => readConfig(environment)).not.toThrow();
  });
});
