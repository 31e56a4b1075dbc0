/** What the command says about a finished edit: aligned lines for people, one line of JSON for programs. */
import {
  type CheckpointInfo,
  type ChosenDevice,
  type EditResult,
  FORMATS,
  kindsText,
  type Size,
} from "../index.ts";

export interface Report {
  /** Paths of the written files, or `-`. */
  outputs: readonly string[];
  result: EditResult;
  checkpoint: CheckpointInfo;
  device: ChosenDevice;
}

/** One line per parameter that was in effect, so that the edit can be repeated. */
export function reportText({ outputs, result, checkpoint, device }: Report): string {
  const { parameters, workingSize, referenceSize, kept, safety, acceleration, seconds } = result;
  const { prompt2, maxSequenceLength, sampler, sigmas, sizeRule, imageLayout } = parameters;
  const hasNegative = parameters.trueCfgScale > 1;
  const given = (label: string, value: string | undefined): [string, string][] =>
    value === undefined ? [] : [[label, value]];
  const rows: [string, string][] = [
    ...outputs.map((output): [string, string] => ["picture", output === "-" ? "standard output" : output]),
    ["format", `${FORMATS[result.format].name}${result.hasTransparency ? ", with transparency" : ""}`],
    [
      "size",
      `${sizeText(result)} (drawn at ${sizeText(workingSize)}${referenceSize ? `, source seen at ${sizeText(referenceSize)}` : ""})`,
    ],
    ...given("size rule", sizeRule === "exact" ? undefined : sizeRule),
    ...given("image layout", imageLayout === "auto" ? undefined : imageLayout),
    ["seed", result.results.map(({ seed }) => seed).join(", ")],
    ["prompt", parameters.prompt],
    ...given("prompt 2", prompt2),
    ...given("text tokens", maxSequenceLength?.toString()),
    ["negative prompt", hasNegative ? parameters.negativePrompt || "empty" : "none"],
    ...given("true CFG scale", hasNegative ? String(parameters.trueCfgScale) : undefined),
    ["steps", String(parameters.numSteps)],
    ...given("sampler", sampler === "euler" ? undefined : sampler),
    ...given("sigmas", sigmas?.join(", ")),
    ["guidance", String(parameters.guidance)],
    ...given("acceleration", acceleration && accelerationText(acceleration, parameters.minPsnr)),
    ["checkpoint", checkpoint.name],
    ["weights", kindsText(checkpoint.weights)],
    ["arithmetic", result.arithmetic],
    ...loraRows(parameters.loras),
    ["device", `${device.name} (${device.reason})`],
    ...given("kept", referenceSize && keptText(kept, parameters.isUnchangedKept)),
    ["safety check", safety ? `passed (score ${safety.score.toFixed(3)} of ${safety.threshold})` : "off"],
    ["time", `${seconds.total.toFixed(2)} s, of which ${seconds.denoise.toFixed(2)} s denoising`],
  ];
  const width = Math.max(...rows.map(([label]) => label.length));
  return rows.map(([label, value]) => `${label.padEnd(width)}  ${oneLine(value)}\n`).join("");
}

/** The same plus the notices as one line of JSON, without the images. */
export function reportJson({ outputs, result, checkpoint, device }: Report): string {
  const { image, images: _, results, kept, ...facts } = result;
  const round = (share: number): number => Number(share.toFixed(4));
  const share = kept && {
    changedShare: round(kept.changedShare),
    shares: {
      kept: round(kept.shares.kept),
      carried: round(kept.shares.carried),
      drawn: round(kept.shares.drawn),
    },
  };
  const { name, weights } = checkpoint;
  const line = {
    output: outputs[0],
    ...(outputs.length > 1 && { outputs, seeds: results.map(({ seed }) => seed) }),
    checkpoint: name,
    weights,
    device: device.name,
    bytes: image.byteLength,
    ...facts,
    kept: share,
  };
  return `${JSON.stringify(line)}\n`;
}

function accelerationText(
  { computedSteps, reusedSteps, estimatedPsnr }: NonNullable<EditResult["acceleration"]>,
  minPsnr: number | undefined,
): string {
  const counts = `${computedSteps} steps computed, ${reusedSteps} reused`;
  return estimatedPsnr === undefined
    ? counts
    : `${counts}; about ${estimatedPsnr.toFixed(1)} dB or more (at least ${minPsnr} dB requested)`;
}

function loraRows(loras: EditResult["parameters"]["loras"]): [string, string][] {
  if (loras.length === 0) return [];
  return [["LoRAs", loras.map(({ name, scale }) => `${name} (${scale})`).join(", ")]];
}

function keptText(kept: EditResult["kept"], isWanted: boolean): string {
  if (!isWanted) return "off";
  if (kept === undefined) return "nothing, because the result and the image differ in shape";
  const percent = (share: number): string => `${(100 * share).toFixed(1)} %`;
  const { shares } = kept;
  const copied = `${percent(shares.kept)} of the image, where nothing was edited`;
  if (shares.carried === 0) return copied;
  return `${copied}; colours carried over on ${percent(shares.carried)}, ${percent(shares.drawn)} drawn`;
}

/** Keeps a string from breaking out of its line or controlling the terminal. */
export function oneLine(text: string): string {
  return text.replaceAll(/\s+/g, " ").replaceAll(/[\p{Cc}\p{Bidi_Control}]/gu, "?");
}

function sizeText({ width, height }: Size): string {
  return `${width} x ${height}`;
}
