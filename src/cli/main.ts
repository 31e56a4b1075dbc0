/** The command line: its arguments, which command they mean, and with which code the process ends. */
import { Command, CommanderError } from "commander";
import { messageOf, RetouchError, version } from "../index.ts";
import {
  addFile,
  addLora,
  numberOf,
  parseDevice,
  parseFormat,
  parseMemory,
  parseSize,
  parseWeights,
} from "./arguments.ts";
import type { DoctorFlags } from "./doctor/doctor.ts";
import { type EditFlags, runEdit } from "./edit.ts";
import type { McpFlags } from "./mcp.ts";
import type { PullFlags } from "./pull.ts";
import type { QuantizeFlags } from "./quantize.ts";
import { oneLine } from "./report.ts";
import { addWebhookSecretCommands } from "./webhook-secret-commands.ts";

const EXIT_FAILURE = 1;
const EXIT_USAGE = 2;
/** What shells expect of a process that a signal ended: 128 and the signal's number. */
const EXIT_OF_SIGNAL = { SIGINT: 130, SIGTERM: 143 } as const;
const SIGNALS = ["SIGINT", "SIGTERM"] as const;

const interruption = new AbortController();
let interruptedCode: number | undefined;
let stopSentence = "Stopping after the current step; once more stops at once.";
const STOP_OF_PULL =
  "Stopping; what has come stays, and the same command goes on from there; once more stops at once.";
const STOP_OF_CONVERSION = "Stopping; nothing of an unfinished file stays; once more stops at once.";
const STOP_OF_SERVICE = "Stopping when the running job has ended; once more stops at once.";

// The service's commands are loaded when they are called: an edit needs neither a server nor a database.
const program = new Command("retouch")
  .description("Edit pictures by instruction with FLUX.1 Kontext, on your own machine.")
  .version(version, "-V, --version", "print the version")
  .helpOption("-h, --help", "print this help")
  .helpCommand(false)
  .exitOverride()
  .configureOutput({ outputError: () => {} });

program
  .command("edit")
  .summary("edit one picture")
  .description("Edit one picture.")
  .helpOption("-h, --help", "print this help")
  .argument("<image>", "a path, an http(s) or data URL, or - for standard input")
  .argument("<prompt>", "what to change, in quotes; 1 to 4,000 characters")
  .option(
    "-o, --output <file>",
    "where the result goes, - for standard output (default: NAME.edited.png here)",
  )
  .option("--negative-prompt <text>", "what to steer away from; doubles the time of a step")
  .option(
    "--true-cfg-scale <number>",
    "strength of the negative prompt, 1 to 10 (default: 2)",
    numberOf("--true-cfg-scale"),
  )
  .option(
    "--size <WxH>",
    "size of the result, 16 to 4096 a side (default: the picture's, at most 1536)",
    parseSize,
  )
  .option("--steps <number>", "1 to 50 (default: 28)", numberOf("--steps"))
  .option(
    "--guidance <number>",
    "how closely the prompt is followed, 0 to 10 (default: 2)",
    numberOf("--guidance"),
  )
  .option("--seed <number>", "repeats an edit; -1 chooses one at random (default: -1)", numberOf("--seed"))
  .option("--format <format>", "png or jpeg (default: by the name in -o, or png)", parseFormat)
  .option(
    "--checkpoint <dir>",
    "a checkpoint folder in the layout of diffusers, or a pulled repository (default: the demo that ships)",
  )
  .option("--transformer <file>", "a single file in the place of the folder's transformer")
  .option("--vae <file>", "a single file in the place of the folder's autoencoder")
  .option("--text-encoder <file>", "a single file in the place of the folder's T5")
  .option(
    "--lora <file[:scale]>",
    "a LoRA in a .safetensors file and its strength, -10 to 10 (default: 1); up to 4 times",
    addLora,
  )
  .option(
    "--weights <kind>",
    "auto, fp32, fp16, bf16, int8 or int4: what transformer and T5 are in memory (default: auto, what fits)",
    parseWeights,
  )
  .option(
    "--threads <number>",
    "threads to compute with, 0 for one a core (default: 0)",
    numberOf("--threads"),
  )
  .option(
    "--memory-limit <size>",
    "memory to take at most, such as 12GB (default: what the machine has left)",
    parseMemory,
  )
  .option(
    "--device <device>",
    "auto, cpu, cuda, webgpu, coreml or dml: what to compute on (default: auto)",
    parseDevice,
  )
  .option("--keep-unchanged", "keep the picture's own pixels where nothing was edited (the default)")
  .option("--no-keep-unchanged", "take all of the result from the network")
  .option("--no-safety-checker", "do not check the result for pornography (default: refuse it)")
  .option("--json", "print the result as one line of JSON")
  .option("--quiet", "print nothing but errors")
  .action((image: string, prompt: string, flags: EditFlags) =>
    runEdit(image, prompt, flags, interruption.signal),
  );

program
  .command("serve")
  .summary("run the endpoint: HTTP server, queue and worker")
  .description(
    "Run the endpoint. Settings are variables of the environment: docs/configuration.md lists them.",
  )
  .helpOption("-h, --help", "print this help")
  .action(async () => {
    stopSentence = STOP_OF_SERVICE;
    const { runServe } = await import("./serve.ts");
    return runServe(interruption.signal);
  });

program
  .command("worker")
  .summary("run workers for a server on another machine")
  .description("Run workers that share DATABASE_URL and the storage with a server.")
  .helpOption("-h, --help", "print this help")
  .action(async () => {
    stopSentence = STOP_OF_SERVICE;
    const { runWorker } = await import("./worker.ts");
    return runWorker(interruption.signal);
  });

program
  .command("mcp")
  .summary("offer the edit as a tool to a model, on standard input and output")
  .description("Offer the edit as a tool of the Model Context Protocol, on standard input and output.")
  .helpOption("-h, --help", "print this help")
  .option(
    "--checkpoint <dir>",
    "a checkpoint folder in the layout of diffusers, or a pulled repository (default: the demo that ships)",
  )
  .option("--transformer <file>", "a single file in the place of the folder's transformer")
  .option("--vae <file>", "a single file in the place of the folder's autoencoder")
  .option("--text-encoder <file>", "a single file in the place of the folder's T5")
  .option("--lora <file>", "a LoRA that the model may choose, in a .safetensors file; several times", addFile)
  .option(
    "--weights <kind>",
    "auto, fp32, fp16, bf16, int8 or int4: what transformer and T5 are in memory (default: auto, what fits)",
    parseWeights,
  )
  .option(
    "--threads <number>",
    "threads to compute with, 0 for one a core (default: 0)",
    numberOf("--threads"),
  )
  .option(
    "--memory-limit <size>",
    "memory to take at most, such as 12GB (default: what the machine has left)",
    parseMemory,
  )
  .option(
    "--device <device>",
    "auto, cpu, cuda, webgpu, coreml or dml: what to compute on (default: auto)",
    parseDevice,
  )
  .option("--no-safety-checker", "do not check results for pornography (default: refuse them)")
  .action(async (flags: McpFlags) => {
    const { runMcp } = await import("./mcp.ts");
    return runMcp(flags, interruption.signal);
  });

program
  .command("pull")
  .summary("download a checkpoint from the Hugging Face hub")
  .description("Download a checkpoint into the cache of Hugging Face's tools, or go on with a download.")
  .helpOption("-h, --help", "print this help")
  .argument("[repo]", "org/name (default: black-forest-labs/FLUX.1-Kontext-dev)")
  .option("--revision <revision>", "a branch, a tag or a commit (default: main)")
  .option("--cache-dir <dir>", "the cache folder (default: HF_HUB_CACHE, or where it is without)")
  .option("--accept-license", "accept the licence of the weights, which is shown, without being asked")
  .option("--json", "print the result as one line of JSON")
  .option("--quiet", "print nothing but the folder, and errors")
  .action(async (repo: string | undefined, flags: PullFlags) => {
    stopSentence = STOP_OF_PULL;
    const { runPull } = await import("./pull.ts");
    return runPull(repo, flags, interruption.signal);
  });

program
  .command("quantize")
  .summary("convert a checkpoint's weights ahead of their first use")
  .description("Convert transformer and T5 of a checkpoint, once; edits with the same --weights find them.")
  .helpOption("-h, --help", "print this help")
  .requiredOption("--weights <kind>", "fp16, bf16, int8 or int4", parseWeights)
  .option(
    "--checkpoint <dir>",
    "a checkpoint folder in the layout of diffusers, or a pulled repository (default: the demo that ships)",
  )
  .option("--transformer <file>", "a single file in the place of the folder's transformer")
  .option("--text-encoder <file>", "a single file in the place of the folder's T5")
  .option("--json", "print one line of JSON, with the error of every rounded weight")
  .option("--quiet", "print nothing but errors")
  .action(async (flags: QuantizeFlags) => {
    stopSentence = STOP_OF_CONVERSION;
    const { runQuantize } = await import("./quantize.ts");
    return runQuantize(flags, interruption.signal);
  });

program
  .command("doctor")
  .summary("say what this machine can run")
  .description("Say what this machine can run, with memory, disk and time, before anything is loaded.")
  .helpOption("-h, --help", "print this help")
  .option(
    "--checkpoint <dir>",
    "a checkpoint folder in the layout of diffusers, or a pulled repository (default: the demo that ships)",
  )
  .option("--transformer <file>", "a single file in the place of the folder's transformer")
  .option("--vae <file>", "a single file in the place of the folder's autoencoder")
  .option("--text-encoder <file>", "a single file in the place of the folder's T5")
  .option("--model <repo>", "a published model that need not be here: black-forest-labs/FLUX.1-Kontext-dev")
  .option(
    "--memory-limit <size>",
    "memory to count on, such as 12GB (default: what the machine has left)",
    parseMemory,
  )
  .option("--json", "print one line of JSON")
  .action(async (flags: DoctorFlags) => {
    const { runDoctor } = await import("./doctor/doctor.ts");
    return runDoctor(flags);
  });

const keys = program
  .command("keys")
  .summary("make, list and revoke API keys")
  .description("Make, list and revoke API keys, beside a running server or one that ran before.")
  .helpOption("-h, --help", "print this help")
  .helpCommand(false);
keys
  .command("create")
  .description("Make a key and print it with its webhook secret, the only time that they can be seen.")
  .helpOption("-h, --help", "print this help")
  .argument("<name>", "what to call it, 1 to 100 characters")
  .option("--json", "print one line of JSON")
  .action(async (name: string, flags: { json?: boolean }) => {
    const { runKeysCreate } = await import("./keys.ts");
    return runKeysCreate(name, flags);
  });
keys
  .command("list")
  .description("List all keys, none of them whole.")
  .helpOption("-h, --help", "print this help")
  .option("--json", "print one line of JSON")
  .action(async (flags: { json?: boolean }) => {
    const { runKeysList } = await import("./keys.ts");
    return runKeysList(flags);
  });
keys
  .command("revoke")
  .description("End a key at once.")
  .helpOption("-h, --help", "print this help")
  .argument("<id>", "the key's id, as `retouch keys list` shows it")
  .action(async (id: string) => {
    const { runKeysRevoke } = await import("./keys.ts");
    return runKeysRevoke(id);
  });
addWebhookSecretCommands(keys);

for (const signal of SIGNALS) {
  process.once(signal, () => {
    interruptedCode = EXIT_OF_SIGNAL[signal];
    // From here on the system's own handling counts: the next one ends the process, whatever it is doing.
    for (const other of SIGNALS) process.removeAllListeners(other);
    complain(stopSentence);
    interruption.abort();
  });
}
// Failed writes are reported where they are made; without a listener they would end the process with a stack.
for (const stream of [process.stdout, process.stderr]) stream.on("error", () => {});

const exitCode = await program.parseAsync().then(
  () => 0,
  (error: unknown) => exitCodeOf(error),
);
await Promise.all([process.stdout, process.stderr].map(flush));
// Not left to the event loop: a standard input that nobody ends would keep the process alive.
process.exit(interruptedCode ?? exitCode);

/** Says what went wrong, in one sentence, and chooses the code. */
function exitCodeOf(error: unknown): number {
  if (error instanceof CommanderError) {
    if (error.exitCode === 0) return 0;
    // Without any command the help itself was printed.
    if (error.code !== "commander.help") complain(usageSentence(error));
    return EXIT_USAGE;
  }
  if (error instanceof RetouchError) {
    // Several settings can be wrong at once, each with a sentence of its own.
    const sentences = error.code === "CONFIG_INVALID" ? error.message.split("\n") : [error.message];
    if (interruptedCode === undefined || error.code !== "ABORTED") sentences.forEach(complain);
    return error.code === "INVALID_PARAMETER" ? EXIT_USAGE : EXIT_FAILURE;
  }
  complain(`Unexpected failure: ${messageOf(error)}`);
  if (error instanceof Error) process.stderr.write(`${error.stack}\n`);
  return EXIT_FAILURE;
}

function usageSentence({ code, message }: CommanderError): string {
  const what = message
    .replace(/^error: /, "")
    .trimEnd()
    .replace(/\.$/, "");
  const hint = code === "commander.excessArguments" ? "put the prompt in quotes" : "see retouch edit --help";
  return `${what}; ${hint}.`;
}

function complain(sentence: string): void {
  process.stderr.write(`retouch: ${oneLine(sentence)}\n`);
}

function flush(stream: NodeJS.WriteStream): Promise<void> {
  return new Promise((resolve) => {
    stream.write("", () => resolve());
  });
}
