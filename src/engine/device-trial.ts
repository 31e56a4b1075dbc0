/**
 * Tries a checkpoint's networks on a device before it is used: the first layers of each, with its own weights, beside
 * the CPU in float32. A device that computes wrongly is never used silently.
 */
import type { Outputs } from "../models/count.ts";
import { byteSizeOf, type ComputeType } from "../onnx/dtype.ts";
import { inputsOf, operatorsOf, type Shape } from "../onnx/graph.ts";
import type { KernelForms } from "../onnx/kernel-forms.ts";
import { decibelsBetween, decibelText, LEAST_DECIBELS } from "../runtime/decibels.ts";
import { type AttentionNeed, findForms, type KernelNeeds } from "../runtime/device-forms.ts";
import { type DeviceProcess, TrialError } from "../runtime/device-process.ts";
import { DrawnNumbers } from "../runtime/drawn-numbers.ts";
import { loadSession, modelOf } from "../runtime/load.ts";
import type { Tensor } from "../runtime/session.ts";
import type { WeightSet } from "../weights/weight-set.ts";
import { exactly } from "./exact-weights.ts";
import type { BuildOptions, ComponentDefinition, NetworkTrial } from "./component.ts";
import type { EditExtent } from "./extent.ts";

/** A network, and the weights that it will be loaded with. */
export interface TriedNetwork {
  readonly definition: ComponentDefinition;
  readonly weights: WeightSet;
}

/** How far a network's numbers on a device are from the CPU's. */
export interface NetworkFinding {
  readonly part: string;
  readonly decibels: number;
}

/** A device's numbers are the CPU's. */
export interface PassedTrial {
  readonly forms: KernelForms;
  readonly computeType: ComputeType;
  readonly findings: readonly NetworkFinding[];
  /** The CPU's seconds over the device's, for the network that takes nearly all of an edit. */
  readonly timesAsFast?: number | undefined;
  /** What the user should know, as sentences. */
  readonly notices: readonly string[];
}

export interface TrialOptions {
  /** The type to compute in. @default float16 where the device computes in it well enough, else float32 */
  computeType?: ComputeType | undefined;
  threads: number;
  /** What the checkpoint is usually asked for: it decides how large tensors are. */
  usual: EditExtent;
  /** Whether to measure how fast the device is beside the CPU. */
  isTimed: boolean;
  /** Forms to use without trying which suit the device. */
  forms?: KernelForms | undefined;
}

/** Seed of the inputs. */
const SEED = 22;

/**
 * @param process of the device, for the caller to close
 * @returns a reason, following the device's name, if a network is wrong there or does not run
 */
export async function tryNetworks(
  process: DeviceProcess,
  networks: readonly TriedNetwork[],
  options: TrialOptions,
): Promise<PassedTrial | { reason: string }> {
  const tried = networks.filter(({ definition }) => definition.trial !== undefined).map(readTrial);
  const wanted =
    options.computeType === undefined ? (["float16", "float32"] as const) : [options.computeType];
  const forms = options.forms ?? (await findForms(process, needsOf(tried, wanted, options.usual)));
  const types = wanted.filter((type) => type !== "float16" || forms.hasFloat16);
  if (types.length === 0) return { reason: "it does not compute in float16" };

  const references = new References(options.threads);
  const notices: string[] = [];
  let reason = "";
  for (const [index, computeType] of types.entries()) {
    try {
      const findings = await compareAll(process, tried, references, { forms, computeType });
      const timesAsFast = options.isTimed
        ? await compareTimes(process, tried, { forms, computeType, threads: options.threads })
        : undefined;
      return { forms, computeType, findings, timesAsFast, notices };
    } catch (error) {
      if (!(error instanceof TrialError)) throw error;
      reason = error.message;
      const next = types[index + 1];
      if (next !== undefined) {
        notices.push(
          `In ${computeType} ${process.device} cannot be used, so it computes in ${next}: ${reason}.`,
        );
      }
    }
  }
  return { reason };
}

interface ReadTrial extends TriedNetwork {
  readonly trial: NetworkTrial;
  readonly build: (weights: WeightSet, options: BuildOptions) => Outputs;
  readonly inputs: Readonly<Record<string, Tensor>>;
}

/** The part of a network that is tried, in float32, and what it is fed. */
export function trialInputs(network: TriedNetwork): {
  outputs: Outputs;
  inputs: Readonly<Record<string, Tensor>>;
} {
  const { build, weights, inputs } = readTrial(network);
  return { outputs: build(weights, {}), inputs };
}

function readTrial({ definition, weights }: TriedNetwork): ReadTrial {
  const trial = definition.trial!;
  const build: ReadTrial["build"] = (from, options) =>
    (trial.build ?? definition.build.bind(definition))(from.scope(), options);
  const numbers = new DrawnNumbers(SEED);
  const given = trial.inputs?.(numbers) ?? {};
  const drawn = inputsOf(build(weights, {})).map(({ name, shape }) => {
    const sizes = shape.map((dim) => (typeof dim === "number" ? dim : trial.dims[dim]!));
    return [name, given[name] ?? numbers.normal(sizes)] as const;
  });
  return { definition, weights, trial, build, inputs: Object.fromEntries(drawn) };
}

// ---- exactness

interface ComputeOptions {
  forms: KernelForms;
  computeType: ComputeType;
}

/** @throws TrialError at the first network that is too far from the CPU */
async function compareAll(
  process: DeviceProcess,
  tried: readonly ReadTrial[],
  references: References,
  options: ComputeOptions,
): Promise<NetworkFinding[]> {
  const findings: NetworkFinding[] = [];
  for (const one of tried) {
    const { part } = one.trial;
    const { outputs } = await runOnDevice(process, one, options);
    const wanted = await references.of(one);
    const decibels = Math.min(
      ...Object.entries(wanted).map(([name, numbers]) => decibelsBetween(outputs[name] ?? [], numbers)),
    );
    if (decibels < LEAST_DECIBELS) {
      throw new TrialError(
        `it computes ${part} ${decibelText(decibels)} from the processor; at least ${LEAST_DECIBELS} dB are needed`,
      );
    }
    findings.push({ part, decibels });
  }
  return findings;
}

/** @throws TrialError naming the part */
async function runOnDevice(
  process: DeviceProcess,
  { weights, build, inputs, trial }: ReadTrial,
  { forms, computeType }: ComputeOptions,
  timedRuns = 0,
) {
  const runtime = { device: process.device, threads: 0, forms };
  const stored = exactly(weights);
  const { model, options } = modelOf(build(stored, { computeType }), stored, runtime);
  try {
    return await process.run({ model, options, inputs, timedRuns });
  } catch (error) {
    if (error instanceof TrialError) throw new TrialError(`${trial.part} fails: ${error.message}`);
    throw error;
  }
}

/** What the CPU computes in float32, once for each network. */
class References {
  readonly #threads: number;
  readonly #known = new Map<ReadTrial, Readonly<Record<string, Float32Array>>>();

  constructor(threads: number) {
    this.#threads = threads;
  }

  async of(one: ReadTrial): Promise<Readonly<Record<string, Float32Array>>> {
    const known = this.#known.get(one);
    if (known) return known;
    const weights = exactly(one.weights);
    const session = await loadSession(one.build(weights, {}), weights, {
      threads: this.#threads,
      isMemoryReturned: true,
    });
    try {
      const outputs = Object.entries(await session.run(one.inputs));
      const numbers = Object.fromEntries(outputs.map(([name, { data }]) => [name, data as Float32Array]));
      this.#known.set(one, numbers);
      return numbers;
    } finally {
      await session.dispose();
    }
  }
}

// ---- speed

/** The CPU's seconds over the device's for the networks that are timed, each as it computes them in an edit. */
async function compareTimes(
  process: DeviceProcess,
  tried: readonly ReadTrial[],
  { threads, ...options }: ComputeOptions & { threads: number },
): Promise<number | undefined> {
  let [onCpu, onDevice] = [0, 0];
  for (const one of tried.filter(({ trial }) => trial.isTimed)) {
    onDevice += (await runOnDevice(process, one, options, TIMED_RUNS)).seconds;
    onCpu += await secondsOnCpu(one, threads);
  }
  return onDevice === 0 ? undefined : onCpu / onDevice;
}

const TIMED_RUNS = 2;

async function secondsOnCpu({ build, weights, inputs }: ReadTrial, threads: number): Promise<number> {
  const session = await loadSession(build(weights, {}), weights, { threads, isMemoryReturned: true });
  try {
    await session.run(inputs);
    let seconds = Infinity;
    for (let run = 0; run < TIMED_RUNS; run += 1) {
      const started = performance.now();
      await session.run(inputs);
      seconds = Math.min(seconds, (performance.now() - started) / 1000);
    }
    return seconds;
  } finally {
    await session.dispose();
  }
}

// ---- what the networks ask for

function needsOf(tried: readonly ReadTrial[], types: readonly ComputeType[], usual: EditExtent): KernelNeeds {
  const attentions = new Map<string, AttentionNeed>();
  let tensorBytes = 0;
  for (const { definition, weights, build } of tried) {
    tensorBytes = Math.max(tensorBytes, definition.workingBytes(usual));
    for (const { opType, inputs, attributes } of operatorsOf(build(weights, {}))) {
      for (const value of inputs) tensorBytes = Math.max(tensorBytes, value ? bytesOf(value) : 0);
      const heads = attributes["num_heads"];
      if (opType !== "MultiHeadAttention" || heads?.kind !== "int") continue;
      const headSize = (inputs[0]!.shape[2] as number) / heads.value;
      const need = { numHeads: heads.value, headSize, isBiased: inputs[5] !== undefined };
      attentions.set(JSON.stringify(need), need);
    }
  }
  return { attentions: [...attentions.values()], types, tensorBytes };
}

/** Bytes of a tensor whose size is known; others count with the working memory. */
const bytesOf = ({ shape, dtype }: { shape: Shape; dtype: Parameters<typeof byteSizeOf>[0] }): number =>
  shape.reduce<number>((product, dim) => product * (typeof dim === "number" ? dim : 0), byteSizeOf(dtype));
