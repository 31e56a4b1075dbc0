import { defineConfig } from "vitest/config";

export default defineConfig({
  test: {
    include: ["test/**/*.test.ts"],
    testTimeout: 120_000,
    hookTimeout: 120_000,
    globalSetup: ["test/build.setup.ts"],
    reporters: ["default", "./test/support/skips.reporter.ts"],
  },
});
