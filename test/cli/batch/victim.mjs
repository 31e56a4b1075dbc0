// A batch in a process of its own, with an engine without networks. Run by batch-kill.test.ts.
import { RetouchError } from "../../../dist/errors.js";
import { runBatchFile } from "../../../dist/cli/batch/commands.js";
import { stubEngine } from "./stub-engine.mjs";

const [file, output, log, stepMs = "0"] = process.argv.slice(2);
const interruption = new AbortController();
process.once("SIGINT", () => interruption.abort());
try {
  await runBatchFile(file, { output }, interruption.signal, {
    open: async () => stubEngine({ log, stepMs: Number(stepMs) }),
  });
} catch (error) {
  console.error(error instanceof RetouchError ? error.message : error);
  process.exit(1);
}
process.exit(0);
