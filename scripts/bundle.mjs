// Bundles the command: Node looks up, reads and compiles each module by itself, which takes the 330 of `retouch edit` a tenth of
// a second. What a command imports late stays in files of its own.
import { readFileSync } from "node:fs";
import { fileURLToPath } from "node:url";
import path from "node:path";
import * as esbuild from "esbuild";

const dist = fileURLToPath(new URL("../dist", import.meta.url));
const bundle = path.join(dist, "command");

/** A module finds files beside it by its URL, which in a bundle is another one. */
const ownUrls = {
  name: "own-urls",
  setup({ onLoad }) {
    onLoad({ filter: /\.js$/ }, ({ path: file }) => {
      const from = JSON.stringify(path.relative(bundle, file).replaceAll(path.sep, "/"));
      const url = `new URL(${from}, import.meta.url).href`;
      return { contents: readFileSync(file, "utf8").replaceAll("import.meta.url", url), loader: "js" };
    });
  },
};

await esbuild.build({
  entryPoints: [path.join(dist, "cli", "main.js")],
  outdir: bundle,
  // All in one folder, from which the URLs above lead on.
  entryNames: "[name]",
  chunkNames: "[name]-[hash]",
  bundle: true,
  splitting: true,
  platform: "node",
  format: "esm",
  target: "node20",
  packages: "external",
  logLevel: "error",
  plugins: [ownUrls],
});
