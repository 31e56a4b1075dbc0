import { fileURLToPath } from "node:url";
import { readdir, readFile, writeFile } from "node:fs/promises";
import path from "node:path";
import { brotliCompressSync, gzipSync } from "node:zlib";
import { defineConfig, type Plugin } from "vite";

const at = (path: string): string => fileURLToPath(new URL(path, import.meta.url));

/** Files of text beside their compressed forms, which the server sends to browsers that take them. */
const compressed = (): Plugin => ({
  name: "compressed",
  async writeBundle({ dir }) {
    for (const name of await readdir(dir!, { recursive: true })) {
      if (!/\.(?:js|css|html|svg)$/.test(name)) continue;
      const file = path.join(dir!, name);
      const bytes = await readFile(file);
      await writeFile(`${file}.br`, brotliCompressSync(bytes));
      await writeFile(`${file}.gz`, gzipSync(bytes));
    }
  },
});

// The server sends these files as they are, with a policy that allows nothing but them.
export default defineConfig({
  root: at("."),
  // Relative: a proxy may put a path in front of all addresses.
  base: "./",
  plugins: [compressed()],
  build: {
    outDir: at("../dist/web"),
    emptyOutDir: true,
    target: "es2022",
    // Inline modules and data URLs of assets would need exceptions in the policy.
    modulePreload: { polyfill: false },
    assetsInlineLimit: 0,
    rollupOptions: { input: [at("index.html"), at("docs.html"), at("library.html")] },
  },
});
