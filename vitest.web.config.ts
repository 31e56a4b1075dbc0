import { defineConfig } from "vitest/config";

/** The playground in a real browser: apart from the rest, because a user of the suite may have none. */
export default defineConfig({
  test: {
    include: ["test/web/**/*.web.ts"],
    testTimeout: 60_000,
    hookTimeout: 120_000,
    // Most of the time goes by in Chromium and in waiting for it. By default two cores would get one worker.
    maxWorkers: 2,
    globalSetup: ["test/build.setup.ts"],
    reporters: ["default", "./test/support/skips.reporter.ts"],
  },
});
