import { availableParallelism } from "node:os";
import { configDefaults, defineConfig } from "vitest/config";
import LongestFirst from "./test/support/longest-first.ts";

/**
 * What takes longest, for `npm run test:long`: packages installed with npm, networks measured in processes of their own,
 * many edits by the real engine, and tests that watch a process for a time or wait for a limit to pass.
 */
const LONG = [
  "test/bench/precision.test.ts",
  "test/cli/keys.test.ts",
  "test/cli/batch.test.ts",
  "test/cli/edit.test.ts",
  "test/cli/failures.test.ts",
  "test/cli/mcp-guards.test.ts",
  "test/cli/parity.test.ts",
  "test/cli/pull.test.ts",
  "test/cli/serve.test.ts",
  "test/cli/service-flags.test.ts",
  "test/cli/verify.test.ts",
  "test/container/replay.test.ts",
  "test/database/silence.test.ts",
  "test/database/power-cut.test.ts",
  "test/database/prepared.test.ts",
  "test/fuzz/*.test.ts",
  "test/faults/suite.test.ts",
  "test/**/memory-measured.test.ts",
  "test/package/package.test.ts",
  "test/privacy.test.ts",
  "test/scripts/dev.test.ts",
  "test/service/backup.test.ts",
  "test/service/bad-input.test.ts",
  "test/service/clients*.test.ts",
  "test/service/clock-set.test.ts",
  "test/service/conformance.test.ts",
  "test/service/database-silence.test.ts",
  "test/service/kill.test.ts",
  "test/service/openai-clients.test.ts",
  "test/service/pictures.test.ts",
  "test/service/python-clients.test.ts",
  "test/service/resume.test.ts",
  "test/service/resume-results.test.ts",
  "test/service/safety.test.ts",
  "test/service/schemathesis.test.ts",
  "test/service/storage-outage.test.ts",
];

/**
 * Tests with limits below some seconds, or on this process's memory, which others beside them would use up; and those that
 * put something else in the place of a module, which other files in the same process would get as well.
 */
const ALONE = [
  "test/bench/memory.test.ts",
  "test/cli/safety.test.ts",
  "test/images/decode-refusals.test.ts",
  "test/images/guarded-download.test.ts",
  "test/images/image-field.test.ts",
  "test/server/connections.test.ts",
  "test/server/json-body.test.ts",
  "test/server/long-texts.test.ts",
  "test/server/stalled.test.ts",
  "test/service/half-sent-bodies.test.ts",
  "test/service/together.test.ts",
  "test/service/work.test.ts",
  "test/worker/companions.test.ts",
  "test/worker/worker.test.ts",
];

/** Tests that start the command, the service, a database or another program, or edit with a whole engine. */
const INTEGRATION = [
  "test/bench/*.test.ts",
  "test/c2pa/*.test.ts",
  "test/cli/*.test.ts",
  "test/container/*.test.ts",
  "test/database/*.test.ts",
  "test/documents/{cli,guides,http}.test.ts",
  "test/evaluation/{evaluate,run}.test.ts",
  "test/faults/check.test.ts",
  "test/files/{folder-lock,process-identity}.test.ts",
  "test/hub/*.test.ts",
  "test/jobs/*.test.ts",
  "test/keys/*.test.ts",
  "test/engine/{accelerated,combined,encoded-once,few-step-loras,inpaint,klein*,samplers}.test.ts",
  "test/*/{choose-device,compute-type,engine,limits,loras,preview,recipe,residency,result-form,results,resume,safety,single-files,weights}.test.ts",
  "test/package/*.test.ts",
  "test/patterns.test.ts",
  "test/pipelines/{flux1-kontext,flux2-klein}/drawn.test.ts",
  "test/readme.test.ts",
  "test/scripts/drawn.test.ts",
  "test/server/{bodies-in-flight,localhost}.test.ts",
  "test/service/*.test.ts",
  "test/storage/{s3,s3-answers}.test.ts",
  "test/worker/{engine-process,mask-checker}.test.ts",
];

const but = (...lists: (readonly string[])[]): string[] => [...configDefaults.exclude, ...lists.flat()];

export default defineConfig({
  test: {
    // Also where a test loads the runtime in a way of its own.
    env: { ORT_DISABLE_TELEMETRY: "1" },
    testTimeout: 120_000,
    // Some limits of the service are seconds, which a shared machine may use up. CI's log names what needed the second try.
    retry: process.env["CI"] ? 1 : 0,
    hookTimeout: 120_000,
    // Not the one second of the default, which a busy machine may need for anything; shorter than calls are held.
    expect: { poll: { timeout: 60_000 } },
    globalSetup: ["test/build.setup.ts"],
    reporters: ["default", "./test/support/skips.reporter.ts", "./test/support/retries.reporter.ts"],
    // Most tests wait for a process, a database or the time itself. By default two cores would get one worker; three take
    // two thirds of the time of two.
    maxWorkers: Math.max(3, availableParallelism() - 1),
    sequence: { sequencer: LongestFirst },
    // Every file belongs to one project: test/projects.test.ts.
    projects: [
      // A worker that goes on with the next file has loaded the sources already.
      {
        extends: true,
        test: {
          name: "unit",
          isolate: false,
          include: ["test/**/*.test.ts"],
          exclude: but(INTEGRATION, ALONE, LONG),
        },
      },
      {
        extends: true,
        test: { name: "integration", isolate: false, include: INTEGRATION, exclude: but(ALONE, LONG) },
      },
      { extends: true, test: { name: "long", include: LONG } },
      // A project with one worker runs when all others are done.
      { extends: true, test: { name: "alone", include: ALONE, maxWorkers: 1 } },
    ],
  },
});
