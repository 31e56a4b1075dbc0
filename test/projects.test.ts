/** The projects of vitest.config.ts: no test file is in two of them, and none is in no one. */
import { readdirSync } from "node:fs";
import path from "node:path";
import { createVitest } from "vitest/node";
import { expect, it } from "vitest";
import { root } from "./support/fixtures.ts";
import { LONGEST } from "./support/longest.ts";
import LongestFirst from "./support/longest-first.ts";

const files = readdirSync(path.join(root, "test"), { recursive: true, encoding: "utf8" }).map((name) =>
  path.posix.join("test", name.split(path.sep).join("/")),
);

/** The projects of each file, by the configuration. */
async function projectsOf(config: string): Promise<Map<string, string[]>> {
  const vitest = await createVitest("test", { config: path.join(root, config), watch: false, root });
  try {
    const found = new Map<string, string[]>();
    for (const { moduleId, project } of await vitest.globTestSpecifications()) {
      const file = path.relative(root, moduleId).split(path.sep).join("/");
      found.set(file, [...(found.get(file) ?? []), project.name]);
    }
    return found;
  } finally {
    await vitest.close();
  }
}

it("every test file belongs to exactly one project", async () => {
  const projects = await projectsOf("vitest.config.ts");
  const wanted = files.filter((name) => name.endsWith(".test.ts")).toSorted();
  expect([...projects.keys()].toSorted()).toEqual(wanted);
  for (const [file, names] of projects) expect(names, file).toHaveLength(1);
  expect(new Set([...projects.values()].flat())).toEqual(new Set(["unit", "integration", "alone", "long"]));
});

it("every test of the playground belongs to the run in a browser", async () => {
  const projects = await projectsOf("vitest.web.config.ts");
  const wanted = files.filter((name) => name.endsWith(".web.ts")).toSorted();
  expect([...projects.keys()].toSorted()).toEqual(wanted);
});

it("every test of WebGPU belongs to the run on a device in software", async () => {
  const projects = await projectsOf("vitest.webgpu.config.ts");
  const wanted = files.filter((name) => name.endsWith(".webgpu.ts")).toSorted();
  expect(wanted.length).toBeGreaterThan(2);
  expect([...projects.keys()].toSorted()).toEqual(wanted);
});

it("begins with the files that take longest, which exist", async () => {
  const vitest = await createVitest("test", {
    config: path.join(root, "vitest.config.ts"),
    watch: false,
    root,
  });
  try {
    const specifications = await vitest.globTestSpecifications();
    // oxlint-disable-next-line unicorn/no-array-sort -- it is no array's.
    const sorted = await new LongestFirst(vitest).sort(specifications);
    const names = sorted.map(({ moduleId }) => path.relative(root, moduleId).split(path.sep).join("/"));
    expect(names.slice(0, LONGEST.length)).toEqual(LONGEST);
    expect(names.toSorted()).toEqual(files.filter((name) => name.endsWith(".test.ts")).toSorted());
  } finally {
    await vitest.close();
  }
});

it("every entry of the lists in vitest.config.ts names a file that exists", async () => {
  const { default: config } = await import("../vitest.config.ts");
  const lists = config.test!.projects!.flatMap((project) => {
    const { include, name } = (project as { test: { include: string[]; name: string } }).test;
    return name === "unit" ? [] : include;
  });
  expect(lists.length).toBeGreaterThan(20);
  for (const entry of lists.filter((name) => !/[*{]/.test(name))) expect(files).toContain(entry);
});
