/** Dependencies point one way, and each thing outside this package is touched in one place: read from the import lines. */
import { readdirSync, readFileSync } from "node:fs";
import path from "node:path";
import { describe, expect, it } from "vitest";
import { root } from "./support/fixtures.ts";

const source = path.join(root, "src");
const files = readdirSync(source, { recursive: true, encoding: "utf8" })
  .filter((name) => name.endsWith(".ts"))
  .map((name) => name.split(path.sep).join("/"))
  .toSorted();

const MAX_LINES = 350;

/** What each folder or file at the top may import of this package, beside itself. */
const MAY_IMPORT: Readonly<Record<string, readonly string[]>> = {
  "errors.ts": ["errors"],
  errors: [],
  "version.ts": [],
  "log.ts": ["errors.ts", "log-values.ts"],
  "log-values.ts": ["errors.ts"],
  "process-environment.ts": ["errors.ts"],
  "within.ts": [],
  "sha256.ts": [],
  machine: [],
  onnx: ["errors.ts"],
  weights: ["errors.ts", "errors", "onnx"],
  quantize: ["errors.ts", "files", "machine", "onnx", "weights"],
  models: ["errors.ts", "errors", "onnx", "weights"],
  lora: ["errors.ts", "files", "onnx", "quantize", "weights", "models"],
  runtime: ["errors.ts", "process-environment.ts", "machine", "onnx", "weights"],
  tokenizers: ["errors.ts", "weights"],
  files: ["errors.ts"],
  net: ["errors.ts", "version.ts"],
  hub: ["errors.ts", "errors", "version.ts", "files", "net", "weights", "machine"],
  images: ["errors.ts", "files", "net"],
  receipts: ["errors.ts", "sha256.ts", "images"],
  c2pa: ["errors.ts", "version.ts", "images"],
  preserve: ["images"],
  safety: ["errors.ts", "sha256.ts", "onnx", "weights", "runtime", "images"],
  sampling: [],
  // What a component and a model are, the one by the other; files import in no circle.
  pipelines: [
    "sha256.ts",
    "errors.ts",
    "errors",
    "engine",
    "images",
    "lora",
    "models",
    "onnx",
    "preserve",
    "quantize",
    "runtime",
    "sampling",
    "tokenizers",
    "weights",
  ],
  engine: [
    "sha256.ts",
    "errors.ts",
    "errors",
    "version.ts",
    "c2pa",
    "files",
    "images",
    "lora",
    "machine",
    "models",
    "onnx",
    "pipelines",
    "preserve",
    "quantize",
    "receipts",
    "runtime",
    "safety",
    "sampling",
    "weights",
  ],
  "index.ts": [
    "lora",
    "receipts",
    "errors.ts",
    "version.ts",
    "files",
    "engine",
    "pipelines",
    "images",
    "preserve",
    "quantize",
    "safety",
    "runtime",
    "weights",
  ],
  config: ["errors.ts", "c2pa", "machine", "receipts"],
  database: ["errors.ts", "within.ts", "sha256.ts"],
  storage: ["errors.ts", "within.ts", "files", "images"],
  jobs: [
    "errors.ts",
    "version.ts",
    "log.ts",
    "config",
    "database",
    "engine",
    "preserve",
    "receipts",
    "safety",
  ],
  keys: ["errors.ts", "database", "jobs"],
  server: [
    "errors.ts",
    "sha256.ts",
    "errors",
    "version.ts",
    "log.ts",
    "config",
    "images",
    "jobs",
    "keys",
    "engine",
    "storage",
    "receipts",
  ],
  worker: [
    "errors.ts",
    "sha256.ts",
    "log.ts",
    "process-environment.ts",
    "config",
    "images",
    "jobs",
    "engine",
    "net",
    "storage",
  ],
  service: [
    "engine",
    "pipelines",
    "errors.ts",
    "log.ts",
    "c2pa",
    "config",
    "database",
    "jobs",
    "keys",
    "machine",
    "files",
    "net",
    "receipts",
    "server",
    "storage",
    "worker",
  ],
  // Files, pictures and the network are for the guards alone: see below.
  cli: [
    "sha256.ts",
    "index.ts",
    "errors.ts",
    "errors",
    "version.ts",
    "log.ts",
    "config",
    "files",
    "hub",
    "images",
    "keys",
    "machine",
    "net",
    "service",
  ],
};

/** Where each package may be imported. */
const PACKAGES: Readonly<Record<string, RegExp>> = {
  "onnxruntime-node": /^runtime\/onnxruntime\.ts$/,
  sharp: /^images\//,
  "@contentauth/c2pa-wasm": /^c2pa\/library\.ts$/,
  "@huggingface/gguf": /^weights\/gguf\.ts$/,
  "@huggingface/hub": /^hub\/listing\.ts$/,
  "@huggingface/tokenizers": /^tokenizers\//,
  "@huggingface/jinja": /^tokenizers\/jinja\.ts$/,
  undici: /^hub\/proxy\.ts$/,
  commander: /^cli\//,
  "@modelcontextprotocol/sdk": /^cli\/mcp\.ts$/,
  pino: /^log\.ts$/,
  pg: /^database\//,
  "ipaddr.js": /^net\/address-policy\.ts$/,
  "@electric-sql/pglite": /^database\/(cluster|durable-files)\.ts$/,
  "@aws-sdk/client-s3": /^storage\/s3\.ts$/,
  "@aws-sdk/s3-request-presigner": /^storage\/s3\.ts$/,
  "pg-boss": /^jobs\/queue\.ts$/,
  fastify: /^server\/|^service\/service\.ts$/,
  typebox: /^server\//,
  "@fastify/type-provider-typebox": /^server\//,
  "@fastify/busboy": /^server\/openai\/form\.ts$/,
  "@fastify/static": /^server\/routes\/pages\.ts$/,
  "@fastify/swagger": /^server\/openapi\/document\.ts$/,
  "prom-client": /^server\/metrics\.ts$/,
};

const IMPORT = /^(?:import|export)\b[^;]*?\bfrom "([^"]+)"|^import "([^"]+)"|\bimport\("([^"]+)"\)/gm;

const textOf = (file: string): string => readFileSync(path.join(source, file), "utf8");
const topOf = (file: string): string => file.split("/")[0]!;
/** What a file imports as it is written. */
const importsOf = (file: string): string[] =>
  [...textOf(file).matchAll(IMPORT)].map(([, from, bare, late]) => (from ?? bare ?? late)!);
const isOwn = (name: string): boolean => name.startsWith(".");
/** The files of this package that a file imports. */
const ownImportsOf = (file: string): string[] =>
  importsOf(file)
    .filter(isOwn)
    .map((name) => path.posix.join(path.posix.dirname(file), name));
/** A package's name, without the path into it. */
const packageOf = (name: string): string => /^(?:@[^/]+\/)?[^/]+/.exec(name)![0];
const packageImportsOf = (file: string): string[] =>
  importsOf(file)
    .filter((name) => !isOwn(name))
    .map((name) => (name.startsWith("node:") ? name : packageOf(name)));
const filesWith = (pattern: RegExp): string[] => files.filter((file) => pattern.test(textOf(file)));

describe("the sources", () => {
  it("are read with their imports over several lines", () => {
    expect(ownImportsOf("pipelines/flux1-kontext/components.ts")).toEqual(
      expect.arrayContaining([
        "models/autoencoders/autoencoder-kl.ts",
        "models/transformers/flux.ts",
        "engine/component.ts",
        "pipelines/shared/components.ts",
      ]),
    );
    expect(ownImportsOf("pipelines/shared/components.ts")).toContain("models/autoencoders/memory.ts");
    // This one has such an import.
    expect(ownImportsOf("pipelines/flux2-klein/components.ts")).toContain(
      "models/autoencoders/autoencoder-kl-flux2.ts",
    );
    expect(ownImportsOf("index.ts")).toContain("engine/engine.ts");
  });

  it("import files that exist, by their whole name", () => {
    for (const file of files) {
      for (const imported of ownImportsOf(file))
        expect(files, `${file} imports ${imported}`).toContain(imported);
    }
  });

  it.each(files)("%s imports only what its folder may", (file) => {
    const own = topOf(file);
    expect(Object.keys(MAY_IMPORT), "a folder that the table above does not know").toContain(own);
    for (const imported of ownImportsOf(file)) {
      expect([own, ...MAY_IMPORT[own]!], `${file} imports ${imported}`).toContain(topOf(imported));
    }
  });

  it("reach past the library for files, pictures and the network in the command line's guards and batches only", () => {
    const guards = files.filter(
      (file) =>
        file.startsWith("cli/") &&
        ownImportsOf(file).some((name) => ["files", "images", "net"].includes(topOf(name))),
    );
    expect(guards).toEqual([
      "cli/batch/image-folder.ts",
      "cli/batch/journal.ts",
      "cli/batch/make.ts",
      "cli/batch/output-places.ts",
      "cli/batch/run.ts",
      "cli/batch/summary-file.ts",
      "cli/disk-room.ts",
      "cli/edit-tool.ts",
      "cli/history.ts",
      "cli/hosts-argument.ts",
      "cli/mcp.ts",
      "cli/numbered-outputs.ts",
      "cli/receipts/small-text.ts",
      "cli/root-folder.ts",
      "cli/tool-output.ts",
    ]);
  });

  it("import nothing in a circle, not even types", () => {
    const finished = new Set<string>();
    const visit = (file: string, trail: readonly string[]): void => {
      expect(trail, `${[...trail, file].join(" -> ")}`).not.toContain(file);
      if (finished.has(file)) return;
      for (const imported of ownImportsOf(file)) visit(imported, [...trail, file]);
      finished.add(file);
    };
    for (const file of files) visit(file, []);
    expect(finished.size).toBe(files.length);
  });

  it("have files that one can hold in mind, but for the table of operators", () => {
    const folders = ["src", "bench", "evaluation", "faults", "fuzz", "training", "tools", "scripts"];
    const long = folders.flatMap((folder) =>
      readdirSync(path.join(root, folder), { recursive: true, encoding: "utf8" })
        .filter((name) => /\.(?:ts|mjs|py)$/.test(name))
        .map((name) => `${folder}/${name.split(path.sep).join("/")}`)
        .filter((name) => readFileSync(path.join(root, name), "utf8").split("\n").length - 1 > MAX_LINES),
    );
    expect(long).toEqual(["src/onnx/ops.ts"]);
  });

  it("name no network outside its pipeline", () => {
    const named = files.filter(
      (file) =>
        !/^(?:pipelines|models|tokenizers)\//.test(file) &&
        /"(?:transformer|t5|clip|vae|encoder|decoder|modulation)"|\bt5\b(?=[.:])/.test(
          textOf(file).replaceAll(/\/\*[\s\S]*?\*\/|\/\/.*/g, ""),
        ),
    );
    expect(named).toEqual([]);
  });

  it("have no default exports", () => {
    expect(filesWith(/^export default\b|\bas default\b/m)).toEqual([]);
  });
});

describe("what lies outside", () => {
  it.each(Object.entries(PACKAGES))("%s is imported in its own place, and there it is", (name, place) => {
    const importers = files.filter((file) => packageImportsOf(file).includes(name));
    expect(importers.length).toBeGreaterThan(0);
    for (const file of importers) expect(file).toMatch(place);
  });

  it("is a dependency of the package or a module of Node, by its full name", () => {
    const manifest = JSON.parse(readFileSync(path.join(root, "package.json"), "utf8")) as {
      dependencies: Record<string, string>;
      peerDependencies: Record<string, string>;
      peerDependenciesMeta: Record<string, { optional: boolean }>;
    };
    const optional = Object.keys(manifest.peerDependencies);
    const known = [...Object.keys(manifest.dependencies), ...optional];
    expect(known.toSorted()).toEqual(Object.keys(PACKAGES).toSorted());
    // Nobody gets them unasked.
    for (const name of optional) expect(manifest.peerDependenciesMeta[name]).toEqual({ optional: true });
    for (const file of files) {
      for (const name of packageImportsOf(file)) {
        if (!name.startsWith("node:")) expect(Object.keys(PACKAGES), file).toContain(name);
      }
    }
  });

  it("is left by the main file, by processes without their parents, and by the database's thread", () => {
    expect(filesWith(/\bprocess\.(?:exit|exitCode|abort|kill)\b/)).toEqual([
      "cli/main.ts",
      // Its own thread only.
      "database/embedded-thread.ts",
      "runtime/device-process.ts",
      "worker/answer-parent.ts",
      "worker/engine-main.ts",
      "worker/parent-watch.ts",
    ]);
  });

  it("has an environment that is read with the settings, in one place, and handed on in another", () => {
    expect(filesWith(/\bprocess\.env\b|\benv\b.*from "node:process"/)).toEqual([
      "config/config.ts",
      "process-environment.ts",
    ]);
    // That one sets what keeps telemetry off, and has no setting of its own.
    const uses = textOf("process-environment.ts").match(/.*\bprocess\.env\b(?!`).*/g);
    expect(uses?.map((line) => line.trim())).toEqual([
      "...process.env,",
      'if (isMainThread && YES.test(process.env[VARIABLE] ?? "")) return;',
      'process.env[VARIABLE] = "1";',
    ]);
  });

  it("has the runtime loaded late, so that its telemetry is off before", () => {
    expect(textOf("runtime/onnxruntime.ts")).not.toMatch(/^import (?!type).*"onnxruntime-node"/m);
    const others = ["bench", "bin", "evaluation", "faults", "fuzz", "scripts"].flatMap((folder) =>
      readdirSync(path.join(root, folder), { recursive: true, encoding: "utf8" })
        .filter((name) => /\.[cm]?[jt]s$/.test(name))
        .map((name) => path.join(root, folder, name)),
    );
    expect(others.length).toBeGreaterThan(50);
    const loads = /(?:from|import\(|require\() ?"onnxruntime-node"/;
    expect(others.filter((file) => loads.test(readFileSync(file, "utf8")))).toEqual([]);
  });
});

describe("the playground", () => {
  const pages = path.join(root, "web", "src");
  it.each(readdirSync(pages).filter((name) => name.endsWith(".ts")))(
    "%s makes no HTML and no program of texts, and imports nothing of the server",
    (name) => {
      const text = readFileSync(path.join(pages, name), "utf8");
      expect(text).not.toMatch(
        /innerHTML|outerHTML|insertAdjacentHTML|document\.write|\beval\(|new Function/,
      );
      // Names of packages stand in the code that it shows; what it imports itself is beside it.
      expect(text).not.toMatch(/\bfrom "\.\.\//);
    },
  );
});
