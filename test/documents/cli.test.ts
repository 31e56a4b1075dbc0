/** docs/cli.md has what `--help` has. */
import { execFile } from "node:child_process";
import path from "node:path";
import { promisify } from "node:util";
import { beforeAll, describe, expect, it } from "vitest";
import { root } from "../support/fixtures.ts";
import { pageOf, rowsOf, sectionsOf } from "./pages.ts";

const run = promisify(execFile);
const page = pageOf("docs/cli.md");
const sections = sectionsOf(page);
/** Command and its help, the program's own first. */
const helps = new Map<string, string>();

async function readHelp(command: readonly string[]): Promise<void> {
  const { stdout } = await run(process.execPath, [path.join(root, "bin/retouch.js"), ...command, "--help"]);
  helps.set(["retouch", ...command].join(" "), stdout);
  for (const name of linesUnder("Commands", stdout)) await readHelp([...command, name.split(" ")[0]!]);
}

/** The first column of a list in a help. */
function linesUnder(title: string, help: string): string[] {
  const [, list = ""] = new RegExp(`^${title}:\n((?:  .*\n)*)`, "m").exec(help) ?? [];
  return [...list.matchAll(/^ {2}(\S.*?)(?: {2}.*)?$/gm)].map((match) => match[1]!);
}

const isOwn = (flag: string): boolean => !/--(?:help|version)\b/.test(flag);

beforeAll(() => readHelp([]));

describe("docs/cli.md", () => {
  it("has a section for every command, and for none else", () => {
    const [program, ...commands] = helps.keys();
    expect([...sections.keys()]).toEqual(commands);
    expect(linesUnder("Options", helps.get(program!)!)).toEqual(["-V, --version", "-h, --help"]);
    for (const flag of ["`-h, --help`", "`retouch -V`", "`--version`"]) expect(page).toContain(flag);
  });

  it("has every flag of each command, in its order, and none else", () => {
    for (const [command, section] of sections) {
      const documented = rowsOf(section).flatMap(([cell]) => /^`(-.*)`$/.exec(cell!)?.[1] ?? []);
      expect(documented, command).toEqual(linesUnder("Options", helps.get(command)!).filter(isOwn));
    }
  });

  it("has every argument of each command, in its order", () => {
    for (const [command, section] of sections) {
      const help = helps.get(command)!;
      const names = linesUnder("Arguments", help).map(
        (name) => help.match(new RegExp(`[[<]${name}(?:\\.\\.\\.)?[\\]>]`))![0],
      );
      if (names.length > 0) expect(section).toContain(`\`${[command, ...names].join(" ")}\``);
    }
  });
});
