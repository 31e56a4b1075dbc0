import { fileURLToPath } from "node:url";
import { defineConfig } from "vite";

const at = (path: string): string => fileURLToPath(new URL(path, import.meta.url));

// The server sends these files as they are, with a policy that allows nothing but them.
export default defineConfig({
  root: at("."),
  // Relative: a proxy may put a path in front of all addresses.
  base: "./",
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
