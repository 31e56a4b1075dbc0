/** A job that goes on from what an earlier attempt left, or cannot. The pace of keeping is state-keeper's own test. */
import { setTimeout as delay } from "node:timers/promises";
import { describe, expect, it } from "vitest";
import { RetouchError } from "../../src/errors.ts";
import { type EditRequest, resolveRequest, type Size } from "../../src/engine/request.ts";
import type { EditOptions } from "../../src/engine/run-edit.ts";
import type { JobProgress, KeptState } from "../../src/jobs/job.ts";
import { createAddressPolicy } from "../../src/net/address-policy.ts";
import { createAgents } from "../../src/net/agents.ts";
import { createKey, type Storage } from "../../src/storage/storage.ts";
import { type EditJobDependencies, runEditJob } from "../../src/worker/edit-job.ts";
import type { EditNote } from "../../src/worker/protocol.ts";
import { Stopwatch } from "../../src/engine/stopwatch.ts";
import { collect } from "../support/buckets.ts";
import { refusal } from "../support/refusal.ts";
import { editOf, setupFor, workplace } from "./samples.ts";

/** An engine whose state is its step; it takes any state but 0. */
const COUNTING: EditJobDependencies["engine"] = {
  checkpoint: {
    folder: "/",
    name: "counting",
    isDemo: false,
    nativeSize: 128,
    grid: 16,
    scale: { nativeArea: 128 ** 2, grid: 16 },
    weights: {},
  },
  async edit(request: EditRequest, { onStep, onState, resumeFrom, onResume }: EditOptions = {}) {
    const resolved = resolveRequest(request);
    const { numSteps: of } = resolved;
    const from = resumeFrom?.[0] ?? 0;
    if (resumeFrom)
      onResume?.(from > 0 ? { kind: "resumed", step: from } : { kind: "refused", reason: "is odd" });
    for (let step = from + 1; step <= of; step += 1) {
      await onStep?.({ step, of } as never);
      const encode = async (): Promise<Uint8Array> => Uint8Array.of(step);
      await onState?.({ step, of, isImageFinished: false, seconds: step, encode });
    }
    if (request.prompt === "fail") throw new RetouchError("INVALID_PARAMETER", "No.");
    const size = request.size as Size;
    return {
      image: Uint8Array.of(from),
      images: [Uint8Array.of(from)],
      results: [{ image: Uint8Array.of(from), seed: resolved.seed }],
      format: resolved.format,
      ...size,
      parameters: { ...resolved, size, negativePrompt: "", trueCfgScale: 1 },
      workingSize: size,
      referenceSize: size,
      referenceSizes: [size],
      notices: [],
      arithmetic: "fp32",
      resumedFrom: from || undefined,
      seconds: { total: 2, denoise: 1.5, parts: new Stopwatch().seconds },
    };
  },
};

async function prepare(resumeAfterMs = 0) {
  const { storage, image } = await workplace();
  const dependencies: EditJobDependencies = {
    engine: COUNTING,
    storage,
    agents: createAgents(createAddressPolicy([])),
    limits: { ...setupFor(""), resumeAfterMs },
  };
  const progress: JobProgress[] = [];
  const kept: KeptState[] = [];
  const notes: EditNote[] = [];
  const controller = new AbortController();
  return {
    storage,
    dependencies,
    image,
    progress,
    kept,
    notes,
    controller,
    run: (options: { state?: KeptState; prompt?: string } = {}) =>
      runEditJob(dependencies, editOf(image, { prompt: options.prompt ?? "Make it night" }), {
        signal: controller.signal,
        owner: "key",
        state: options.state,
        onProgress: (latest) => progress.push(latest),
        onState: (state) => kept.push(state),
        onNote: (note) => notes.push(note),
      }),
  };
}

async function store(storage: Storage, step: number): Promise<KeptState> {
  const key = createKey("states", "bin");
  await storage.put(key, Uint8Array.of(step));
  return { key, step: Math.max(1, step), bytes: 1 };
}

describe("a job", () => {
  it("stores its states and says where they are", async () => {
    const { run, kept, storage } = await prepare();
    await run();
    expect(kept[0]).toEqual({ key: expect.stringMatching(/^states\//), step: 1, bytes: 1 });
    expect((await storage.get(kept[0]!.key))?.bytes).toEqual(Buffer.of(1));
  });

  it("stores none where that is off", async () => {
    const { run, kept, storage } = await prepare(Infinity);
    await run();
    expect(kept).toEqual([]);
    expect(await collect(storage.list("states"))).toEqual([]);
  });

  it("goes on from a state: its progress never begins anew, and its time counts its own steps", async () => {
    const { run, progress, notes, storage } = await prepare();
    const { timing } = await run({ state: await store(storage, 3) });
    expect(progress).toEqual([
      { step: 3, of: 4 },
      { step: 4, of: 4, preview: undefined },
    ]);
    expect(notes).toEqual([{ level: "info", sentence: "The edit goes on after step 3 of 4." }]);
    expect(timing).toEqual({
      totalMs: 2000,
      denoiseMs: 1500,
      partsMs: { ...new Stopwatch().seconds, load: expect.any(Number), store: expect.any(Number) },
      numSteps: 1,
      images: [{ width: 64, height: 48 }],
    });
  });

  it("goes on where all steps had been taken", async () => {
    const { run, storage } = await prepare();
    expect((await run({ state: await store(storage, 4) })).timing.numSteps).toBe(0);
  });

  it.each<[string, (storage: Storage) => Partial<Storage>, string]>([
    ["is gone", () => ({}), "The edit starts from the beginning: its state is no longer there."],
    [
      "cannot be read",
      () => ({
        get: async () => {
          throw new Error("The bucket is away.");
        },
      }),
      "The edit starts from the beginning: its state cannot be read.",
    ],
  ])("starts from the beginning where its state %s", async (_, change, sentence) => {
    const { run, dependencies, progress, notes, storage, image } = await prepare();
    const changes = change(storage);
    dependencies.storage = {
      ...storage,
      get: (key) =>
        image.kind === "stored" && key === image.key ? storage.get(key) : (changes.get ?? storage.get)(key),
    };
    const { timing } = await run({ state: { key: createKey("states", "bin"), step: 3, bytes: 1 } });
    expect(progress[0]).toEqual({ step: 0, of: 4 });
    expect(notes).toEqual([{ level: "warn", sentence }]);
    expect(timing.numSteps).toBeUndefined();
  });

  it("is given back with its state where the storage is away", async () => {
    const { run, dependencies, storage, image } = await prepare();
    const away = async (): Promise<never> => {
      throw new Error("The bucket is away.");
    };
    dependencies.storage = {
      ...storage,
      get: (key) => (image.kind === "stored" && key === image.key ? storage.get(key) : away()),
      check: away,
    };
    const work = run({ state: { key: createKey("states", "bin"), step: 3, bytes: 1 } });
    await expect(work).rejects.toMatchObject({ code: "STORAGE_UNAVAILABLE" });
  });

  it("starts from the beginning where the engine refuses its state", async () => {
    const { run, progress, notes, storage } = await prepare();
    await run({ state: await store(storage, 0) });
    expect(progress[0]).toEqual({ step: 0, of: 4 });
    expect(notes).toEqual([
      { level: "warn", sentence: "The edit starts from the beginning: its state is odd." },
    ]);
  });

  it("is cancelled while its state is being read", async () => {
    const { run, dependencies, storage, image, controller } = await prepare();
    dependencies.storage = {
      ...storage,
      get: (key) => (image.kind === "stored" && key === image.key ? storage.get(key) : new Promise(() => {})),
    };
    const running = run({ state: await store(storage, 3) });
    void delay(20).then(() => controller.abort());
    await expect(running).rejects.toEqual(refusal("ABORTED", "The job was cancelled."));
  });

  it("is none the worse for a storage that takes no state, and says so", async () => {
    const { run, dependencies, notes, kept, storage } = await prepare();
    const put = async (key: string, bytes: Uint8Array): Promise<void> => {
      if (key.startsWith("states/")) throw new Error("The disk is full.");
      await storage.put(key, bytes);
    };
    dependencies.storage = { ...storage, put };
    expect((await run()).result.image.kind).toBe("stored");
    expect(kept).toEqual([]);
    expect(notes).toEqual([
      { level: "warn", sentence: "The state of the edit could not be kept: The disk is full." },
    ]);
  });
});
