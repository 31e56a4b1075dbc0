/** What users copy: every command for Docker in the repository, and every port that a file for containers publishes. */
import { readdirSync, readFileSync } from "node:fs";
import path from "node:path";
import { describe, expect, it } from "vitest";
import { parseAllDocuments } from "yaml";
import { root } from "../support/fixtures.ts";

const SKIPPED = new Set([
  ".git",
  "node_modules",
  "dist",
  ".venv",
  ".venv-clients",
  ".venv-candidates",
  ".cache",
  "out",
  "data",
]);
const RIGHTS = [
  "--read-only",
  "--cap-drop ALL",
  "--security-opt no-new-privileges",
  "--memory ",
  "--pids-limit ",
];

function filesIn(folder: string): string[] {
  return readdirSync(path.join(root, folder), { withFileTypes: true }).flatMap((entry) => {
    const name = path.posix.join(folder, entry.name);
    if (entry.isDirectory()) return SKIPPED.has(entry.name) ? [] : filesIn(name);
    return /(\.(md|ya?ml|sh|html)|^Dockerfile)$/.test(entry.name) ? [name] : [];
  });
}

const texts = filesIn("").map((name) => [name, readFileSync(path.join(root, name), "utf8")] as const);
/** With the lines that a backslash joins, and the `#` of a comment taken off. */
const commandsIn = (text: string): string[] =>
  text
    .replaceAll(/\\\n#?/g, " ")
    .split("\n")
    .filter((line) => /\b(docker|podman) run\b/.test(line))
    .map((line) => line.replaceAll(/\s+/g, " "));
const commands = texts.flatMap(([name, text]) => commandsIn(text).map((line) => [name, line] as const));

describe("every example for containers", () => {
  it("is found", () => {
    const places = commands.map(([name]) => name);
    expect(places).toEqual(expect.arrayContaining(["Dockerfile", "docs/operations.md"]));
  });

  it.each(commands)("publishes on loopback, and takes rights away: %s", (_, line) => {
    const published = [...line.matchAll(/(?:-p|--publish)[ =](\S+)/g)].map(([, port]) => port!);
    expect(published.length).toBeGreaterThan(0);
    for (const port of published) expect(port).toMatch(/^127\.0\.0\.1:/);
    expect(line).not.toMatch(/ -P | --publish-all|--privileged|--net(work)?[ =]host/);
    for (const right of RIGHTS) expect(line).toContain(right);
  });

  it("has in YAML no port for others than this machine, and in a pod the rights of compose.yaml", () => {
    const blocks = texts.flatMap(([name, text]) => {
      if (/\.ya?ml$/.test(name)) return [[name, text] as const];
      return [...text.matchAll(/^```ya?ml\n(.*?)^```/gms)].map(([, block]) => [name, block!] as const);
    });
    const services: unknown[] = [];
    const pods: Pod[] = [];
    for (const [name, block] of blocks) {
      for (const document of parseAllDocuments(block, { merge: true })) {
        expect(document.errors, name).toEqual([]);
        const value = document.toJS() as {
          services?: Record<string, { ports?: string[] }>;
          spec?: Pod;
        } | null;
        services.push(...Object.values(value?.services ?? {}).flatMap(({ ports = [] }) => ports));
        if (value?.spec) pods.push(value.spec);
      }
    }
    expect(services.length).toBeGreaterThan(1);
    for (const port of services) expect(port).toMatch(/^127\.0\.0\.1:/);
    expect(pods.length).toBeGreaterThan(0);
    for (const { securityContext, containers } of pods) {
      expect(securityContext).toMatchObject({ runAsNonRoot: true, runAsUser: 1000 });
      for (const container of containers) {
        expect(container).toMatchObject({
          resources: { limits: { memory: expect.any(String) as string } },
          securityContext: {
            readOnlyRootFilesystem: true,
            allowPrivilegeEscalation: false,
            capabilities: { drop: ["ALL"] },
          },
        });
      }
    }
  });
});

interface Pod {
  securityContext: unknown;
  containers: unknown[];
}
