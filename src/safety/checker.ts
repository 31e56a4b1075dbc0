/**
 * Says whether a picture is what most people do not want to see unasked: pornography, photographed or drawn. It knows
 * nothing else, neither violence nor likeness, and it errs; checkpoints/safety/README.md has its figures.
 */
import path from "node:path";
import { fileURLToPath } from "node:url";
import { invalid, RetouchError } from "../errors.ts";
import type { Picture } from "../images/picture.ts";
import { buildModel } from "../onnx/graph.ts";
import { Session } from "../runtime/session.ts";
import { Config } from "../weights/config.ts";
import { mobileNet, type MobileNetConfig, readMobileNetConfig } from "./mobilenet.ts";
import { pictureToUnitSquare } from "./pixels.ts";
import { QuantizedWeights } from "./quantized-weights.ts";
import type { SafetyVerdict } from "./verdict.ts";

/** Not the class Sexy: it holds swimwear, too. */
const FLAGGED_CLASSES = ["Porn", "Hentai"];
/** Why this number: checkpoints/safety/README.md. */
export const DEFAULT_SAFETY_THRESHOLD = 0.7;
/** What errors call the network. */
const NAME = "safety";
const SHIPPED_CHECKPOINT = fileURLToPath(new URL("../../checkpoints/safety", import.meta.url));

export interface SafetyCheckerOptions {
  /** Folder of the network. @default the one that ships with this package */
  checkpoint?: string | undefined;
  /** Score from which a picture is flagged, 0 to 1; at 0 every picture is. @default 0.7 */
  threshold?: number | undefined;
  /** Threads of the network; 0 takes one a physical core. @default 0 */
  threads?: number | undefined;
}

export interface SafetyReport extends SafetyVerdict {
  isFlagged: boolean;
  /** Probability of each class; they add up to 1. */
  scores: Readonly<Record<string, number>>;
}

export interface SafetyChecker {
  /**
   * Loads the network, which the first check would do otherwise. What failed is tried again by the next call.
   * @throws RetouchError CHECKPOINT_MISSING, CHECKPOINT_INVALID or RUNTIME_FAILED
   */
  prepare(): Promise<void>;
  /** Rates one picture of any size; throws as `prepare` does. */
  check(picture: Picture): Promise<SafetyReport>;
  /** Frees the network, if it was loaded; the checker cannot be used afterwards. */
  close(): Promise<void>;
}

/**
 * Makes a checker, with the network that ships with this package. Nothing is loaded before it is needed.
 * @throws RetouchError INVALID_PARAMETER
 */
export function createSafetyChecker(options: SafetyCheckerOptions = {}): SafetyChecker {
  const { checkpoint = SHIPPED_CHECKPOINT, threshold = DEFAULT_SAFETY_THRESHOLD, threads = 0 } = options;
  if (typeof threshold !== "number" || !(threshold >= 0 && threshold <= 1)) {
    const given = String(threshold);
    throw invalid("range", { field: "safety.threshold", wanted: "a number", min: 0, max: 1, given });
  }
  let network: Promise<Network> | undefined;
  const load = (): Promise<Network> =>
    (network ??= loadNetwork(checkpoint, threads).catch((error: unknown) => {
      network = undefined;
      throw error;
    }));
  return {
    async prepare() {
      await load();
    },
    async check(picture) {
      const { session, config } = await load();
      const scores = await scoresOf(session, config, picture);
      // The sum of two classes may be rounded to more than 1.
      const sum = FLAGGED_CLASSES.reduce((total, name) => total + scores[name]!, 0);
      const score = Math.min(sum, 1);
      return { score, threshold, isFlagged: score >= threshold, scores };
    },
    async close() {
      await (await network?.catch(() => undefined))?.session.dispose();
    },
  };
}

interface Network {
  session: Session;
  config: MobileNetConfig;
}

async function loadNetwork(folder: string, threads: number): Promise<Network> {
  const fields = await Config.read(path.join(folder, "config.json"));
  const config = readMobileNetConfig(fields);
  const missing = FLAGGED_CLASSES.find((name) => !config.classes.includes(name));
  if (missing !== undefined) {
    throw new RetouchError("CHECKPOINT_INVALID", `In ${fields.file}, classes must hold ${missing}.`);
  }
  const weights = await QuantizedWeights.read(path.join(folder, "model.safetensors"));
  const model = buildModel(NAME, mobileNet(config, weights));
  return { session: await Session.load(model, { name: NAME, weightsFolder: folder, threads }), config };
}

async function scoresOf(
  session: Session,
  { imageSize, classes }: MobileNetConfig,
  picture: Picture,
): Promise<Record<string, number>> {
  const data = pictureToUnitSquare(picture, imageSize);
  const { scores } = await session.run({ pixels: { data, shape: [1, 3, imageSize, imageSize] } });
  const values = scores!.data as Float32Array;
  // Below no threshold, and so never flagged.
  if (values.some(Number.isNaN)) {
    throw new RetouchError("RUNTIME_FAILED", "The safety checker gave no numbers: its weights are damaged.");
  }
  return Object.fromEntries(classes.map((name, index) => [name, values[index]!]));
}
