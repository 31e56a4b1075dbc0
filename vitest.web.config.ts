import { availableParallelism } from "node:os";
import { defineConfig } from "vitest/config";

/** The playground in a real browser: apart from the rest, because a user of the suite may have none. */
export default defineConfig({
  test: {
    isolate: false,
    include: ["test/web/**/*.web.ts"],
    testTimeout: 180_000,
    retry: process.env["CI"] ? 1 : 0,
    hookTimeout: 120_000,
    // Not the one second of the default, which a busy machine may need for anything.
    expect: { poll: { timeout: 60_000 } },
    // Most tests wait for a page; by default two cores would get one worker.
    maxWorkers: Math.max(2, availableParallelism() - 1),
    globalSetup: ["test/build.setup.ts"],
    reporters: ["default", "./test/support/skips.reporter.ts", "./test/support/retries.reporter.ts"],
  },
});
