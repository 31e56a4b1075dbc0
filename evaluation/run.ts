/** Measures a checkpoint on the held-out set: prints tables or one JSON document, and its progress on standard error. */
import { messageOf } from "../src/index.ts";
import { evaluate } from "./evaluate.ts";
import { parseOptions, USAGE, UsageError } from "./options.ts";
import { renderTables } from "./table.ts";

function say(sentence: string): void {
  process.stderr.write(`eval: ${sentence}\n`);
}

try {
  // `npm run eval --json` takes the option for npm itself, which passes it on in this variable.
  const options = parseOptions(process.argv.slice(2), process.env["npm_config_json"] === "true");
  if (options === "help") process.stdout.write(USAGE);
  else {
    const evaluation = await evaluate(options, say);
    process.stdout.write(
      options.isJson ? `${JSON.stringify(evaluation, null, 2)}\n` : renderTables(evaluation),
    );
  }
} catch (error) {
  say(messageOf(error));
  process.exitCode = error instanceof UsageError ? 2 : 1;
}
