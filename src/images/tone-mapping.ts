/**
 * High dynamic range to sRGB's: ITU-R BT.2408's reference white (203 candela per square metre) becomes white where a
 * picture is nowhere brighter, so that ordinary content keeps its colours; brighter highlights are bent below it by the
 * curve of ITU-R BT.2390, section 5.4.1, on the largest of the three colours, which keeps the hue.
 */

const REFERENCE_WHITE = 203;
const PQ_PEAK = 10_000;
/** ITU-R BT.2100: hybrid log-gamma on a display of 1,000 candela per square metre. */
const HLG_PEAK = 1000;
const HLG_GAMMA = 1.2;

/** Changes linear light in place. */
export type MapTones = (light: Float64Array) => void;

/**
 * @param luminances of the three primaries; their sum is 1
 * @param largest linear number of any colour in the picture
 * @returns undefined if the transfer function is not one of high dynamic range
 */
export function toneMapper(
  kind: "srgb" | "gamma" | "pq" | "hlg",
  luminances: readonly [number, number, number],
  largest: number,
): MapTones | undefined {
  if (kind !== "pq" && kind !== "hlg") return undefined;
  const isHlg = kind === "hlg";
  const peak = isHlg ? HLG_PEAK * largest ** HLG_GAMMA : PQ_PEAK * largest;
  const bend = bent(Math.max(peak, REFERENCE_WHITE));
  return (light) => {
    const [red, green, blue] = [light[0]!, light[1]!, light[2]!];
    const ofScene = luminances[0] * red + luminances[1] * green + luminances[2] * blue;
    const scale = isHlg ? HLG_PEAK * ofScene ** (HLG_GAMMA - 1) : PQ_PEAK;
    const brightest = Math.max(red, green, blue) * scale;
    const factor = brightest === 0 ? 0 : (scale * bend(brightest)) / brightest / REFERENCE_WHITE;
    for (let i = 0; i < 3; i++) light[i]! *= factor;
  };
}

/** From candela per square metre, up to `peak`, to the same up to the reference white. */
function bent(peak: number): (light: number) => number {
  if (peak <= REFERENCE_WHITE) return (light) => light;
  const range = toPq(peak);
  const top = toPq(REFERENCE_WHITE) / range;
  const knee = 1.5 * top - 0.5;
  return (light) => {
    const value = toPq(Math.min(light, peak)) / range;
    if (value <= knee) return light;
    const t = (value - knee) / (1 - knee);
    const [t2, t3] = [t ** 2, t ** 3];
    const curve = (2 * t3 - 3 * t2 + 1) * knee + (t3 - 2 * t2 + t) * (1 - knee) + (3 * t2 - 2 * t3) * top;
    return fromPq(curve * range);
  };
}

const M1 = 0.1593017578125;
const M2 = 78.84375;
const [C1, C2, C3] = [0.8359375, 18.8515625, 18.6875];

/** SMPTE ST 2084. */
function toPq(light: number): number {
  const power = (light / PQ_PEAK) ** M1;
  return ((C1 + C2 * power) / (1 + C3 * power)) ** M2;
}

function fromPq(value: number): number {
  const power = value ** (1 / M2);
  return PQ_PEAK * (Math.max(power - C1, 0) / (C2 - C3 * power)) ** (1 / M1);
}
