// Bundles a TypeScript file of the repository, which Node 20 cannot run, to .cache/run. What it imports from src/ is
// taken from the build, so a measurement sees the files that a user runs.
import { readFileSync } from "node:fs";
import { fileURLToPath, pathToFileURL } from "node:url";
import path from "node:path";
import * as esbuild from "esbuild";

const root = fileURLToPath(new URL("..", import.meta.url));
const sources = path.join(root, "src") + path.sep;

/** Outside the bundle stay sources, as their built file (`src/a/b.ts` as `dist/a/b.js`), and `.mjs` files, as they are. */
const outside = {
  name: "outside",
  setup({ onResolve }) {
    onResolve({ filter: /^\.{1,2}\/.*\.(ts|mjs)$/ }, ({ resolveDir, path: specifier }) => {
      const file = path.resolve(resolveDir, specifier);
      if (file.endsWith(".mjs")) return { path: pathToFileURL(file).href, external: true };
      if (!file.startsWith(sources)) return undefined;
      const built = path.join(root, "dist", file.slice(sources.length).replace(/\.ts$/, ".js"));
      return { path: pathToFileURL(built).href, external: true };
    });
  },
};

/** A bundle is not where its sources are: `import.meta.url` keeps naming the source. */
const sourceUrls = {
  name: "source-urls",
  setup({ onLoad }) {
    onLoad({ filter: /\.ts$/ }, ({ path: file }) => {
      const url = JSON.stringify(pathToFileURL(file).href);
      return { contents: readFileSync(file, "utf8").replaceAll("import.meta.url", url), loader: "ts" };
    });
  },
};

/** Bundles one file and returns the path of the bundle, which `node` can start by itself. The build must be up to date. */
export async function compile(file) {
  const entry = path.resolve(file);
  const outfile = path.join(root, ".cache", "run", path.relative(root, entry).replace(/\.ts$/, ".mjs"));
  await esbuild.build({
    entryPoints: [entry],
    outfile,
    bundle: true,
    platform: "node",
    format: "esm",
    target: "node20",
    packages: "external",
    sourcemap: "inline",
    logLevel: "silent",
    plugins: [outside, sourceUrls],
  });
  return outfile;
}
