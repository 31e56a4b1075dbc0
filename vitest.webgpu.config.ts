import { defineConfig } from "vitest/config";

/**
 * WebGPU on a device in software: apart from the rest, because a user of the suite may have none. The log has a line for
 * every edit, with the decibels between its picture and the CPU's.
 */
export default defineConfig({
  test: {
    include: ["test/webgpu/**/*.webgpu.ts"],
    env: { ORT_DISABLE_TELEMETRY: "1" },
    // On a busy machine an edit on a device in software takes minutes.
    testTimeout: 900_000,
    retry: process.env["CI"] ? 1 : 0,
    hookTimeout: 900_000,
    globalSetup: ["test/build.setup.ts", "test/webgpu/compile.setup.ts"],
    disableConsoleIntercept: true,
    maxWorkers: 2,
    reporters: ["default", "./test/support/skips.reporter.ts", "./test/support/retries.reporter.ts"],
  },
});
