import { availableParallelism } from "node:os";
import { configDefaults, defineConfig } from "vitest/config";

/** Tests with limits below some seconds, or on this process's memory, which others beside them would use up. */
const ALONE = [
  "test/bench/memory.test.ts",
  "test/images/decode-refusals.test.ts",
  "test/images/guarded-download.test.ts",
  "test/images/image-field.test.ts",
  "test/server/connections.test.ts",
  "test/server/json-body.test.ts",
  "test/server/stalled.test.ts",
  "test/service/half-sent-bodies.test.ts",
  "test/worker/worker.test.ts",
];

export default defineConfig({
  test: {
    // Also where a test loads the runtime in a way of its own.
    env: { ORT_DISABLE_TELEMETRY: "1" },
    testTimeout: 120_000,
    hookTimeout: 120_000,
    globalSetup: ["test/build.setup.ts"],
    reporters: ["default", "./test/support/skips.reporter.ts"],
    // Most tests wait for a process, a database or the time itself. By default two cores would get one worker; three take
    // two thirds of the time of two.
    maxWorkers: Math.max(3, availableParallelism() - 1),
    projects: [
      {
        extends: true,
        test: {
          name: "together",
          include: ["test/**/*.test.ts"],
          exclude: [...configDefaults.exclude, ...ALONE],
        },
      },
      // A project with one worker runs when all others are done.
      { extends: true, test: { name: "alone", include: ALONE, maxWorkers: 1 } },
    ],
  },
});
