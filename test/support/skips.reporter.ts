/**
 * Says why each skipped test was skipped, and fails the run in CI for any reason but the lack of a GPU or of another
 * operating system: a suite that skips what it should prove must not pass there.
 */
import type { Reporter, TestModule, Vitest } from "vitest/node";

const ALLOWED_IN_CI = /\b(GPU|operating system)\b/;

export default class SkipsReporter implements Reporter {
  #isFiltered = false;

  onInit(vitest: Vitest): void {
    // `-t` skips all other tests, and gives no reason.
    this.#isFiltered = vitest.config.testNamePattern !== undefined;
  }

  onTestRunEnd(modules: readonly TestModule[]): void {
    for (const module of modules) {
      for (const test of module.children.allTests("skipped")) {
        const result = test.result();
        const note = (result.state === "skipped" && result.note) || undefined;
        if (note === undefined && this.#isFiltered) continue;
        const reason = note ?? "no reason was given";
        console.log(`Skipped: ${test.fullName}: ${reason}`);
        if (process.env["CI"] && !ALLOWED_IN_CI.test(reason)) process.exitCode = 1;
      }
    }
  }
}
