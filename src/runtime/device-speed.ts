/**
 * How fast a device computes what a checkpoint consists of, and how fast numbers travel to it and back. Time estimates
 * and the choice of a device are based on it.
 */
import { tmpdir } from "node:os";
import { messageOf } from "../errors.ts";
import { buildModel } from "../onnx/graph.ts";
import { withForms } from "../onnx/kernel-forms.ts";
import { formsIn } from "./load.ts";
import { type RuntimeOptions, Session } from "./session.ts";
import {
  AMOUNT,
  attentionGraph,
  type AttentionShape,
  convolutionGraph,
  type ConvolutionShape,
  downGraph,
  emptyGraph,
  type FloatType,
  PRODUCT_TYPES,
  productGraph,
  type ProductShape,
  type ProductType,
  type SpeedGraph,
  upGraph,
} from "./speed-graphs.ts";

export { type FloatType, PRODUCT_TYPES, type ProductType } from "./speed-graphs.ts";

/** Of all operations of its kind, the part that has this shape. */
type Shared<Shape> = Shape & { share: number };

/** What a checkpoint's networks consist of, by the sizes of a usual edit; the shares of a kind sum to 1. */
export interface SpeedWorkload {
  products: readonly Shared<ProductShape>[];
  /** Absent if no network attends. */
  attention?: AttentionShape | undefined;
  convolutions: readonly Shared<ConvolutionShape>[];
}

/** Operations or bytes per second; a multiplication and an addition count as two operations. */
export interface DeviceSpeed {
  /** Of matrix products, by the type of the weights; a type without a kernel is absent. */
  products: Partial<Record<ProductType, number>>;
  /** Of attention, by the type that it computes in. */
  attention: Partial<Record<FloatType, number>>;
  /** Of convolutions in float32; absent if there are none. */
  convolutions?: number | undefined;
  /** Bytes to the device and back; absent on the CPU, where nothing travels. */
  upBytes?: number | undefined;
  downBytes?: number | undefined;
  /** Seconds of a run that computes nearly nothing. */
  runSeconds: number;
  /** Why something could not be measured, by its name. */
  failures: Readonly<Record<string, string>>;
}

export interface SpeedOptions {
  /** Types of products to measure. @default those that the device may be used with */
  types?: readonly ProductType[] | undefined;
  /** Milliseconds that each figure may take, apart from loading its network. @default 100 */
  msPerFigure?: number | undefined;
  /** Called with what is known after each figure: a device may crash. */
  onFigure?: ((speed: DeviceSpeed) => void) | undefined;
}

const MS_PER_FIGURE = 100;
/** Part of a figure's time in which a run may still be enlarged. */
const GROWING = 1 / 6;
/** What a first run begins with: tokens, rows or cells of a side. */
const LEAST = 32;
/** The fastest and the emptiest run may differ by less than the clock can tell. */
const LEAST_PART = 0.1;

/**
 * Measures in this process, which a device's driver may end: `measureApart` does it in another.
 * @throws RetouchError RUNTIME_FAILED if not even an empty network runs
 */
export async function measureDeviceSpeed(
  runtime: RuntimeOptions,
  workload: SpeedWorkload,
  options: SpeedOptions = {},
): Promise<DeviceSpeed> {
  const { device = "cpu" } = runtime;
  const forms = formsIn(runtime);
  const { types = typesOf(runtime), msPerFigure = MS_PER_FIGURE, onFigure = () => {} } = options;
  const limits = { maxBytes: forms.maxTensorBytes };
  const floats = types.includes("float16") ? "float16" : "float32";
  // As networks are loaded: only the CPU also rounds what is multiplied.
  const product = { floats, accuracyLevel: device === "cpu" ? 4 : 1, ...limits } as const;
  const measure = (graph: SpeedGraph, besideSeconds: number): Promise<number> =>
    rateOf(graph, runtime, { ms: msPerFigure, besideSeconds });

  const runSeconds = 1 / (await measure(emptyGraph(), 0));
  const failures: Record<string, string> = {};
  let speed: DeviceSpeed = { products: {}, attention: {}, runSeconds, failures };
  async function learn(name: string, work: () => Promise<Partial<DeviceSpeed>>): Promise<void> {
    try {
      speed = { ...speed, ...(await work()) };
    } catch (error) {
      failures[name] = messageOf(error);
    }
    onFigure(speed);
  }
  /** The speed of work that is made of these parts. */
  async function speedOf<Shape extends { share: number }>(
    shapes: readonly Shape[],
    graphOf: (shape: Shape) => SpeedGraph,
  ): Promise<number> {
    let seconds = 0;
    for (const shape of shapes) seconds += shape.share / (await measure(graphOf(shape), runSeconds));
    return 1 / seconds;
  }

  for (const type of types) {
    await learn(type, async () => {
      const flops = await speedOf(workload.products, (shape) => productGraph(shape, type, product));
      return { products: { ...speed.products, [type]: flops } };
    });
  }
  const { attention, convolutions } = workload;
  for (const type of attention === undefined ? [] : new Set(["float32", floats] as const)) {
    await learn(`attention in ${type}`, async () => {
      const flops = await measure(attentionGraph(attention!, type), runSeconds);
      return { attention: { ...speed.attention, [type]: flops } };
    });
  }
  if (convolutions.length > 0) {
    await learn("convolutions", async () => ({
      convolutions: await speedOf(convolutions, (shape) => convolutionGraph(shape, limits)),
    }));
  }
  if (device !== "cpu") {
    const { maxBytes } = limits;
    await learn("bytes up", async () => ({ upBytes: await measure(upGraph(maxBytes), runSeconds) }));
    await learn("bytes down", async () => ({ downBytes: await measure(downGraph(maxBytes), runSeconds) }));
  }
  return speed;
}

/** The CPU computes in float32 whatever the type that is stored. */
function typesOf(runtime: RuntimeOptions): readonly ProductType[] {
  const { device = "cpu" } = runtime;
  const hasFloat16 = device !== "cpu" && formsIn(runtime).hasFloat16;
  return PRODUCT_TYPES.filter((type) => type !== "float16" || hasFloat16);
}

/**
 * Work per second of the fastest run of a graph, as large a one as the time allows.
 * @param options.besideSeconds what a run takes beside the work
 */
async function rateOf(
  graph: SpeedGraph,
  runtime: RuntimeOptions,
  { ms, besideSeconds }: { ms: number; besideSeconds: number },
): Promise<number> {
  const outputs = withForms(graph.outputs, formsIn(runtime), { [AMOUNT]: graph.most });
  const model = buildModel("speed", outputs);
  const session = await Session.load(model, { ...runtime, name: "speed", weightsFolder: tmpdir() });
  try {
    const timed = async (feeds: ReturnType<SpeedGraph["feeds"]>): Promise<number> => {
      const started = performance.now();
      await session.run(feeds);
      return (performance.now() - started) / 1000;
    };
    if (graph.most < 1) throw new Error("no tensor is large enough for it");
    let amount = Math.min(LEAST, graph.most);
    let feeds = graph.feeds(amount);
    // The first run of a network compiles its kernels.
    await timed(feeds);
    const end = performance.now() + ms;
    let best = await timed(feeds);
    while (amount < graph.most && best * 1000 < GROWING * ms) {
      amount = Math.min(2 * amount, graph.most);
      feeds = graph.feeds(amount);
      best = await timed(feeds);
    }
    // The first run of a size allocates its memory.
    do best = Math.min(best, await timed(feeds));
    while (performance.now() < end);
    return graph.work(amount) / Math.max(best - besideSeconds, LEAST_PART * best);
  } finally {
    await session.dispose();
  }
}
