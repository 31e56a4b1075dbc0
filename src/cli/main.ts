/** The command-line process: how it is interrupted, what it prints, and with which code it exits. */
import { CommanderError } from "commander";
import { messageOf, RetouchError } from "../errors.ts";
import { PartialFailure } from "./partial-failure.ts";
import { createProgram, UsageError } from "./program.ts";
import { oneLine } from "./report.ts";

const EXIT_FAILURE = 1;
const EXIT_USAGE = 2;
/** What shells expect of a process ended by a signal: 128 plus the signal's number. */
const EXIT_OF_SIGNAL = { SIGINT: 130, SIGTERM: 143 } as const;
const SIGNALS = ["SIGINT", "SIGTERM"] as const;

const interruption = new AbortController();
let interruptedCode: number | undefined;
let stopSentence = "Stopping after the current step; press Ctrl-C again to stop at once.";

const program = createProgram({
  signal: interruption.signal,
  setStopSentence(sentence) {
    stopSentence = sentence;
  },
});

for (const signal of SIGNALS) {
  process.once(signal, () => {
    interruptedCode = EXIT_OF_SIGNAL[signal];
    // From here on the system's default applies: the next signal ends the process, whatever it is doing.
    for (const other of SIGNALS) process.removeAllListeners(other);
    complain(stopSentence);
    const reason = new DOMException("This operation was aborted", "AbortError");
    interruption.abort(Object.assign(reason, { signal }));
  });
}
// Failed writes are reported where they happen; without a listener they would end the process with a stack
// trace.
for (const stream of [process.stdout, process.stderr]) stream.on("error", () => {});

const exitCode = await program.parseAsync().then(
  () => 0,
  (error: unknown) => exitCodeOf(error),
);
await Promise.all([process.stdout, process.stderr].map(flush));
// Exits explicitly: a standard input that nobody closes would keep the event loop alive.
process.exit(interruptedCode ?? exitCode);

/** Says what went wrong, in one sentence, and chooses the code. */
function exitCodeOf(error: unknown): number {
  // The help or the version was printed; if a command is missing, the help is an error.
  if (error instanceof CommanderError) return error.exitCode === 0 ? 0 : EXIT_USAGE;
  if (error instanceof UsageError) {
    complain(error.message);
    return EXIT_USAGE;
  }
  if (error instanceof PartialFailure) {
    complain(error.message);
    return EXIT_FAILURE;
  }
  if (error instanceof RetouchError) {
    // Several settings can be wrong at once, each with its own sentence.
    if (interruptedCode === undefined || error.code !== "ABORTED") error.sentences.forEach(complain);
    return error.code === "INVALID_PARAMETER" ? EXIT_USAGE : EXIT_FAILURE;
  }
  complain(`Unexpected failure: ${messageOf(error)}`);
  if (error instanceof Error) process.stderr.write(`${error.stack}\n`);
  return EXIT_FAILURE;
}

function complain(sentence: string): void {
  process.stderr.write(`retouch: ${oneLine(sentence)}\n`);
}

function flush(stream: NodeJS.WriteStream): Promise<void> {
  return new Promise((resolve) => {
    stream.write("", () => resolve());
  });
}
