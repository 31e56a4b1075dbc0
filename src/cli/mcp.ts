/**
 * `retouch mcp`: the edit as a tool of the Model Context Protocol (https://modelcontextprotocol.io), on standard input
 * and output. Standard output is reserved for the protocol.
 */
import path from "node:path";
import { Server } from "@modelcontextprotocol/sdk/server/index.js";
import { StdioServerTransport } from "@modelcontextprotocol/sdk/server/stdio.js";
import { CallToolRequestSchema, ListToolsRequestSchema } from "@modelcontextprotocol/sdk/types.js";
import {
  createEngine,
  type EditDefaults,
  type Engine,
  type EngineOptions,
  messageOf,
  openCheckpoint,
  RetouchError,
  SHIPPED_CHECKPOINT,
  stepOfAll,
  version,
} from "../index.ts";
import { nameLoras } from "./arguments.ts";
import { createAgents } from "../net/agents.ts";
import type { AddressPolicy } from "../net/address-policy.ts";
import { createHttpClient } from "../net/http-client.ts";
import { loadHistoryFile, loadReceiptKey } from "../config/config.ts";
import { createEditTool } from "./edit-tool.ts";
import { type EngineFlags, engineOptionsOf } from "./engine-options.ts";
import { parseHosts } from "./hosts-argument.ts";
import { createHistory } from "./history.ts";
import { openRootFolder } from "./root-folder.ts";
import { COMMAND, wordedBy } from "./surfaces.ts";
import { createToolOutput } from "./tool-output.ts";

/** The flags as commander passes them. */
export interface McpFlags extends EngineFlags {
  /** Files of the LoRAs that a call may name. */
  lora?: string[] | undefined;
  /** The folder that holds everything read and written. */
  root?: string | undefined;
  allowPrivateHosts?: AddressPolicy | undefined;
  overwrite?: boolean | undefined;
  /** Whether edits are remembered, where the environment does not say so. */
  history?: boolean | undefined;
}

/** Serves until the client goes away or `signal` aborts. The first edit loads the checkpoint. */
export async function runMcp(flags: McpFlags, signal: AbortSignal): Promise<void> {
  const root = await openRootFolder(flags.root);
  const policy = flags.allowPrivateHosts ?? parseHosts("");
  const { files: loras } = nameLoras((flags.lora ?? []).map((file) => ({ file, scale: 1 })));
  const options = await engineOptionsOf(flags, loras);
  const engine = createLateEngine(options);
  const { definition, call: edit } = createEditTool({
    load: engine.get,
    loras: Object.keys(loras),
    defaults: await defaultsOf(options),
    access: {
      client: createHttpClient(createAgents(policy)),
      open: (file) => root.open("image", file),
    },
    receiptKey: loadReceiptKey(),
    history: createHistory(loadHistoryFile(flags.history)),
    pathOf: (file) => path.resolve(root.folder, file),
    results: createToolOutput(root, { isOverwriting: flags.overwrite ?? false }),
  });
  const server = new Server({ name: "retouch", version }, { capabilities: { tools: {} } });
  server.setRequestHandler(ListToolsRequestSchema, () => ({ tools: [definition] }));
  server.setRequestHandler(CallToolRequestSchema, async ({ params }, call) => {
    const { progressToken } = params._meta ?? {};
    try {
      if (params.name !== definition.name) {
        throw new RetouchError("INVALID_PARAMETER", `There is one tool, ${definition.name}.`);
      }
      const content = await edit(params.arguments ?? {}, {
        signal: AbortSignal.any([call.signal, signal]),
        async onStep(taken) {
          if (progressToken === undefined) return;
          const { step, of } = stepOfAll(taken);
          const progress = { progressToken, progress: step, total: of, message: `Step ${step} of ${of}` };
          await call.sendNotification({ method: "notifications/progress", params: progress });
        },
      });
      return { content };
    } catch (error) {
      return { content: [{ type: "text", text: sentenceOf(error) }], isError: true };
    }
  });

  const ended = new Promise<void>((resolve) => {
    // oxlint-disable-next-line unicorn/prefer-add-event-listener -- it is no event target
    server.onclose = resolve;
    // The transport itself does not watch for the end of the input.
    process.stdin.once("end", resolve).once("close", resolve);
    signal.addEventListener("abort", () => resolve(), { once: true });
    if (signal.aborted) resolve();
  });
  await server.connect(new StdioServerTransport());
  await ended;
  // Ends what runs.
  await server.close();
  await engine.close();
}

/** Those of the checkpoint's model, from its index alone; a checkpoint that cannot be read fails the first edit. */
async function defaultsOf({
  checkpoint = SHIPPED_CHECKPOINT,
  ...files
}: EngineOptions): Promise<EditDefaults | undefined> {
  const opened = await openCheckpoint(checkpoint, files).catch(() => undefined);
  return opened?.defaults;
}

interface LateEngine {
  /** Loads the engine once; a failure is thrown, and the next call tries again. */
  get(): Promise<Engine>;
  close(): Promise<void>;
}

function createLateEngine(options: EngineOptions): LateEngine {
  let loading: Promise<Engine> | undefined;
  return {
    get() {
      loading ??= wordedBy(COMMAND, () => createEngine(options)).catch((error: unknown) => {
        loading = undefined;
        throw error;
      });
      return loading;
    },
    async close() {
      const engine = await loading?.catch(() => undefined);
      await engine?.close();
    },
  };
}

function sentenceOf(error: unknown): string {
  if (error instanceof RetouchError) return error.message;
  process.stderr.write(`retouch: ${error instanceof Error ? error.stack : String(error)}\n`);
  return `Unexpected failure: ${messageOf(error)}`;
}
