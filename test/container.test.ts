/** What can be known of the image and the compose file without building them. */
import { existsSync } from "node:fs";
import { readFile } from "node:fs/promises";
import path from "node:path";
import { describe, expect, it } from "vitest";
import { SETTINGS } from "../src/config/settings.ts";
import { root } from "./support/fixtures.ts";

const textOf = (file: string): Promise<string> => readFile(path.join(root, file), "utf8");
const variables = Object.values(SETTINGS).map(({ variable }) => variable as string);

describe.each(["Dockerfile", "compose.yaml"])("%s", (file) => {
  it("names only settings that there are", async () => {
    const names = (await textOf(file)).match(/\b(?:RETOUCH_[A-Z0-9_]+|DATABASE_URL)\b/g) ?? [];
    expect(names.length).toBeGreaterThan(1);
    for (const name of names) expect(variables).toContain(name);
  });
});

describe("the image", () => {
  it("is made of files that are there, all of which .dockerignore lets through, and no others", async () => {
    const copied = [...(await textOf("Dockerfile")).matchAll(/^COPY (?!--from)(.+) \S+$/gm)].flatMap(
      ([, sources]) => sources!.split(" "),
    );
    const allowed = [...(await textOf(".dockerignore")).matchAll(/^!(.+)$/gm)].map(([, name]) => name!);
    expect([...new Set(copied)].toSorted()).toEqual(allowed.toSorted());
    for (const file of copied) expect(existsSync(path.join(root, file)), file).toBe(true);
  });

  it("has all that the package has", async () => {
    const { files } = JSON.parse(await textOf("package.json")) as { files: string[] };
    const dockerfile = await textOf("Dockerfile");
    const last = dockerfile.slice(dockerfile.lastIndexOf("\nFROM "));
    for (const name of files) expect(last, name).toMatch(new RegExp(`^COPY .*\\b${name}\\b`, "m"));
  });

  it("does not run as root, and keeps its data in a volume", async () => {
    const dockerfile = await textOf("Dockerfile");
    const order = ["mkdir -m 700 /data", "USER node", "VOLUME /data", "HEALTHCHECK", "ENTRYPOINT"];
    const places = order.map((text) => dockerfile.indexOf(text));
    expect(places[0]).toBeGreaterThan(0);
    expect(places).toEqual(places.toSorted((a, b) => a - b));
    expect(dockerfile).toContain("RETOUCH_DATA_DIR=/data");
  });
});
