/**
 * The engine process: runs the networks and handles all bytes from outside (but for masks that are checked beforehand, `mask-process.ts`). If it crashes or is killed, that
 * costs one attempt of one job; the process that answers HTTP goes on. It ends with its parent, and prints
 * nothing.
 */
import { Worker } from "node:worker_threads";
import { messageOf, RetouchError } from "../errors.ts";
import { type ConversionProgress, createEngine, type Engine } from "../engine/engine.ts";
import { importPipelines } from "../engine/import-pipelines.ts";
import { kindsText } from "../engine/weights-choice.ts";
import { createAddressPolicy } from "../net/address-policy.ts";
import { createAgents } from "../net/agents.ts";
import { createHttpClient } from "../net/http-client.ts";
import { createFreeSpace, type FreeSpace } from "../storage/free-space.ts";
import { openStorage } from "../storage/open.ts";
import { type EditJobDependencies, runEditJob } from "./edit-job.ts";
import { EditGroups } from "./edit-groups.ts";
import { endOf, ownStorage } from "./failures.ts";
import { fetchSource, type FetchDependencies } from "./fetch-source.ts";
import { createOwnStorage } from "./own-storage.ts";
import type { EngineAnswer, EngineRequest, EngineSetup } from "./protocol.ts";
import { warmUp } from "./warm-up.ts";

let dependencies: (EditJobDependencies & FetchDependencies & { engine: Engine }) | undefined;
/** What is being done, by request id: an edit, and image downloads beside it. */
const running = new Map<string, AbortController>();
/** Edits that are to be told when the worker is about to end. */
const stopping = new Map<string, AbortController>();
const groups = new EditGroups();

// The terminal and the service manager send these to the whole group; the parent decides when to end.
process.on("SIGINT", () => {});
process.on("SIGTERM", () => {});
// SIGKILL, because an orderly exit waits for the runtime's threads.
process.on("disconnect", () => process.kill(process.pid, "SIGKILL"));
const parentWatch = new Worker(new URL("./parent-watch.js", import.meta.url), {
  workerData: { parent: process.ppid },
});
parentWatch.unref();
process.on("message", (request: EngineRequest) => {
  if (request.kind === "setup") void setUp(request.setup);
  else if (request.kind === "cancel") running.get(request.id)?.abort();
  else if (request.kind === "stopping") stopping.get(request.id)?.abort();
  else if (request.kind === "fetch") void fetchPicture(request);
  else if (request.kind === "check") void checkStorage(request);
  else void edit(request);
});

async function setUp(setup: EngineSetup): Promise<void> {
  try {
    const agents = createAgents(createAddressPolicy(setup.allowPrivateHosts));
    const storage = createOwnStorage(await openStorage(setup.storage));
    const pipelines = setup.pipelinesModule ? await importPipelines(setup.pipelinesModule) : undefined;
    const engine = await createEngine({ ...setup.engine, onConversion: createTeller() }, pipelines);
    const speed = await warmUp(engine, { isSafetyChecked: setup.engine.safety?.isOn ?? true });
    const client = createHttpClient(agents);
    dependencies = { engine, storage, agents, client, limits: setup, freeSpace: freeSpaceOf(setup) };
    const { name: checkpoint, weights, notices } = engine.checkpoint;
    const { device, neededBytes } = engine;
    say({ kind: "ready", speed, checkpoint, weights: kindsText(weights), device, neededBytes, notices });
  } catch (error) {
    const message =
      error instanceof RetouchError ? error.message : `The engine cannot be loaded: ${messageOf(error)}`;
    say({ kind: "unusable", message });
  }
}

/** Of a storage in a folder. */
function freeSpaceOf({ storage, minFreeDiskBytes: minFreeBytes = 0 }: EngineSetup): FreeSpace | undefined {
  return storage.kind === "local" ? createFreeSpace({ folder: storage.folder, minFreeBytes }) : undefined;
}

/** Reports once what is being converted: it may take minutes, during which nothing else is reported. */
function createTeller(): (progress: ConversionProgress) => void {
  let last = "";
  return ({ network, kind, phase }) => {
    const now = `${network} ${kind} ${phase}`;
    if (now !== last) say({ kind: "converting", conversion: { network, kind, phase } });
    last = now;
  };
}

function edit({
  id,
  edit,
  group,
  ...circumstances
}: Extract<EngineRequest, { kind: "edit" }>): Promise<void> {
  const place = groups.placeIn(group);
  const isStopping = new AbortController();
  stopping.set(id, isStopping);
  return answering(id, async (signal) => {
    const done = await runEditJob(dependencies!, edit, {
      ...circumstances,
      signal,
      place,
      stopping: isStopping.signal,
      onProgress: (progress) => say({ kind: "progress", id, progress }),
      onStage: (stage) => say({ kind: "stage", id, stage }),
      onWaiting: (detail) => say({ kind: "waiting", id, detail }),
      onState: (kept) => say({ kind: "state", id, state: kept }),
      onNote: (note) => say({ kind: "note", id, note }),
    }).finally(() => say({ kind: "encodings", encodings: dependencies!.engine.encodings }));
    return { kind: "completed", id, ...done };
  }).finally(() => {
    place.leave();
    stopping.delete(id);
  });
}

function fetchPicture({ id, url }: Extract<EngineRequest, { kind: "fetch" }>): Promise<void> {
  return answering(id, async (signal) => {
    const stored = await fetchSource(dependencies!, url, signal);
    return { kind: "fetched", id, ...stored };
  });
}

function checkStorage({ id }: Extract<EngineRequest, { kind: "check" }>): Promise<void> {
  return answering(id, async () => {
    const { storage } = dependencies!;
    await ownStorage("The storage does not work.", () => storage.check());
    return { kind: "checked", id };
  });
}

/** Does one piece of work that can be cancelled by its id, and reports how it ended. */
async function answering(id: string, work: (signal: AbortSignal) => Promise<EngineAnswer>): Promise<void> {
  const controller = new AbortController();
  running.set(id, controller);
  try {
    say(await work(controller.signal));
  } catch (error) {
    say(endOf(id, error, controller.signal));
  } finally {
    running.delete(id);
  }
}

function say(answer: EngineAnswer): void {
  process.send!(answer);
}
