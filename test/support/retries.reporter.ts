/** Names every test that passed only when it was tried again, so that CI's log shows what to mend. */
import type { Reporter, TestModule } from "vitest/node";

export default class RetriesReporter implements Reporter {
  onTestRunEnd(modules: readonly TestModule[]): void {
    for (const module of modules) {
      for (const test of module.children.allTests()) {
        if (!test.diagnostic()?.flaky) continue;
        const [error] = test.result().errors ?? [];
        console.log(`Passed when tried again: ${test.fullName}: ${error?.message ?? "no error was given"}`);
      }
    }
  }
}
