import { defineConfig } from "vitest/config";

/** The playground in a real browser: apart from the rest, because a user of the suite may have none. */
export default defineConfig({
  test: {
    include: ["test/web/**/*.web.ts"],
    testTimeout: 60_000,
    hookTimeout: 120_000,
    globalSetup: ["test/build.setup.ts"],
    reporters: ["default", "./test/support/skips.reporter.ts"],
  },
});
