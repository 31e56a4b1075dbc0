/**
 * What stays on the software device, for each task in a message. A process of its own, because the runtime ends the process
 * for mistakes with such memory.
 */
import { readFile } from "node:fs/promises";
import path from "node:path";
import { createEngine } from "../../src/engine/engine.ts";
import { Components } from "../../src/engine/components.ts";
import { messageOf } from "../../src/errors.ts";
import { decodePicture } from "../../src/images/decode.ts";
import { buildModel, input } from "../../src/onnx/graph.ts";
import { add, relu } from "../../src/onnx/ops.ts";
import { DeviceMemory } from "../../src/runtime/device-memory.ts";
import { DeviceTensor } from "../../src/runtime/device-tensor.ts";
import { loadRuntime } from "../../src/runtime/onnxruntime.ts";
import { Session, type SessionOptions, type Tensor, type Traffic } from "../../src/runtime/session.ts";
import type { DeviceTask, HeldEdits, HeldTask } from "./held.ts";
import { answerTasks } from "./tasks.ts";
import { untried } from "./untried.ts";

const GPU = { name: "sum", weightsFolder: ".", threads: 1, device: "webgpu" } as const;

/** Buffers that are outputs of the runtime's, less those that were freed. */
let live = 0;

/** Counts them where the runtime makes and frees them. */
async function countBuffers(): Promise<void> {
  const { InferenceSession, Tensor } = await loadRuntime();
  const sessions = (InferenceSession as unknown as { prototype: Patched }).prototype;
  const tensors = (Tensor as unknown as { prototype: Patched }).prototype;
  const { run } = sessions as unknown as { run(this: unknown, ...given: unknown[]): Promise<Outputs> };
  const { dispose } = tensors as unknown as { dispose(this: unknown): void };
  const made = new WeakSet<object>();
  sessions["run"] = async function (this: unknown, ...given: unknown[]) {
    const outputs = await run.apply(this, given);
    for (const output of Object.values(outputs)) {
      if (output.location !== "gpu-buffer") continue;
      made.add(output);
      live += 1;
    }
    return outputs;
  };
  tensors["dispose"] = function (this: object) {
    if (made.delete(this)) live -= 1;
    dispose.call(this);
  };
}
type Patched = Record<string, unknown>;
type Outputs = Record<string, { location: string }>;

const floats = (values: readonly number[], shape: readonly number[] = [values.length]): Tensor => ({
  data: Float32Array.from(values),
  shape,
});

const sum = (options: SessionOptions): Promise<Session> =>
  Session.load(
    buildModel("sum", { y: add(input("a", "float32", ["n"]), input("b", "float32", ["n"])) }),
    options,
  );

const reasonOf = (run: Promise<unknown>): Promise<string> => run.then(() => "none", messageOf);

/** Tensors by themselves. */
async function tensors(): Promise<object> {
  const traffic: Traffic = { up: 0, down: 0, held: 0 };
  const spent = (): Traffic => {
    const before = { ...traffic };
    Object.assign(traffic, { up: 0, down: 0, held: 0 });
    return before;
  };
  const memory = await DeviceMemory.open({ ...GPU, traffic });
  const session = await sum({ ...GPU, traffic });
  const data = Float32Array.of(1, 2, 3);
  const b = floats([10, 20, 30]);

  const { a, table } = await memory.hold({ a: { data, shape: [3] }, table: { data, shape: [1, 3] } });
  const again = await memory.hold({ a: { data, shape: [3] }, none: floats([], [0, 2]) });
  const first = { traffic: spent(), heldBytes: memory.heldBytes, live, shape: table.shape };
  const runs = [];
  for (const inputs of [
    { a, b },
    { a, b: again.a },
    { a: b, b },
  ]) {
    const { y } = await session.run(inputs);
    runs.push({ sum: [...(y!.data as Float32Array)], traffic: spent() });
  }

  const whole = await memory.hold({ whole: floats([1, 2, 3, 4, 5, 6], [2, 3]) });
  const rows = await memory.rows(whole.whole);
  const rowSums = [];
  for (const row of rows)
    rowSums.push([...((await session.run({ a: row, b: row })).y!.data as Float32Array)]);
  const [single] = await memory.rows(table);
  const singleSum = [...((await session.run({ a: single!, b })).y!.data as Float32Array)];
  const afterRows = { live, heldBytes: memory.heldBytes };

  // What other networks made is still there when those are released.
  const made = await sum({ ...GPU, areOutputsHeld: true });
  const { y } = await memory.take(await made.run({ a: b, b }));
  await made.dispose();
  await session.dispose();
  const later = await sum(GPU);
  const survived = [...((await later.run({ a: y!, b: a })).y!.data as Float32Array)];

  const cpu = await sum({ ...GPU, device: "cpu" });
  const mistakes = {
    cpu: await reasonOf(cpu.run({ a, b })),
    read: await reasonOf((async () => y!.data)()),
    whole: await reasonOf(later.run({ a: whole.whole, b })),
  };
  memory.free();
  memory.free();
  const freed = { live, heldBytes: memory.heldBytes, reason: await reasonOf(later.run({ a, b })) };
  await memory.dispose();
  return {
    first,
    none: again.none instanceof DeviceTensor,
    runs,
    rowSums,
    singleSum,
    afterRows,
    survived,
    mistakes,
    freed,
  };
}

/** Megabytes that the process grows by over so many rounds, after some that it may grow in. */
async function leak(rounds: number): Promise<object> {
  const memory = await DeviceMemory.open(GPU);
  const x = input("x", "float32", ["n"]);
  const ones = { data: new Float32Array(2 ** 18).fill(1), shape: [2 ** 18] };
  const session = await Session.load(buildModel("copy", { y: relu(x) }), { ...GPU, areOutputsHeld: true });
  const round = async (): Promise<void> => {
    await memory.take(await session.run(await memory.hold({ x: ones })));
    memory.free();
  };
  for (let count = 0; count < 20; count += 1) await round();
  const before = process.memoryUsage.rss();
  for (let count = 0; count < rounds; count += 1) await round();
  const megabytes = (process.memoryUsage.rss() - before) / 2 ** 20;
  await session.dispose();
  await memory.dispose();
  return { megabytes, live };
}

const load = Components.load.bind(Components);
const { hold } = Components.prototype;
let kept: DeviceMemory | undefined;

/** An edit to its end; then, if asked for, one that is aborted, one whose caller fails, and one in which a network does. */
async function edits(task: HeldTask): Promise<HeldEdits> {
  const { checkpoint, pictures, prompt, size, request, loras = [], referenceCache, memoryLimit } = task;
  const { isHeld, areEndsTried } = task;
  const traffic: Traffic = { up: 0, down: 0, held: 0 };
  // With its last session the device would forget its kernels.
  kept ??= await DeviceMemory.open(GPU);
  Components.load = (model, runtime, options) =>
    load(model, { ...runtime, traffic }, { ...options, settleDevice: untried() });
  Components.prototype.hold = isHeld ? hold : (given) => Promise.resolve(given);
  const engine = await createEngine({
    checkpoint: path.resolve(checkpoint),
    device: "webgpu",
    weights: "fp32",
    referenceCache,
    memoryLimit,
    loras: Object.fromEntries(loras.map((file, index) => [`lora-${index}`, inFixtures(file)])),
    safety: { isOn: false },
  });
  const image = await Promise.all(pictures.map((name) => readFile(inFixtures(name))));
  const used = loras.map((_, index) => ({ name: `lora-${index}` }));
  const order = { ...request, image, prompt, size, loras: used };
  const ends: HeldEdits["ends"] = {};
  const note = async (name: string, edit: Promise<unknown>): Promise<void> => {
    const reason = await reasonOf(edit);
    ends[name] = { live, reason };
  };

  const [idle, during, steps] = [live, [] as number[], [] as Traffic[]];
  let before = { ...traffic };
  const onStep = (): void => {
    const { up, down, held } = traffic;
    steps.push({ up: up - before.up, down: down - before.down, held: held - before.held });
    before = { ...traffic };
    during.push(live);
  };
  let picture = "";
  const finish = async (): Promise<void> => {
    const { image: bytes } = await engine.edit(order, { onStep });
    picture = Buffer.from((await decodePicture(bytes)).data).toString("base64");
  };
  await note("finished", finish());
  if (areEndsTried) {
    const abort = new AbortController();
    await note("aborted", engine.edit(order, { onStep: () => abort.abort(), signal: abort.signal }));
    const fail = (): void => {
      throw new Error("the disk is full");
    };
    await note("failed", engine.edit(order, { onStep: fail }));
    const run = Session.prototype.run;
    Session.prototype.run = async function (inputs) {
      const outputs = await run.call(this, inputs);
      if ("velocity" in outputs) throw new Error("the device is lost");
      return outputs;
    };
    await note("lost", engine.edit(order));
    Session.prototype.run = run;
    await note("again", finish());
  }
  await engine.close();
  return { idle, during, steps, ends, picture, closed: live };
}

const inFixtures = (name: string): string => path.resolve("test", "fixtures", name);

await countBuffers();
answerTasks((task: DeviceTask) => {
  if (task.kind === "tensors") return tensors();
  return task.kind === "leak" ? leak(task.rounds) : edits(task);
});
