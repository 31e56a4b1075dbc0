/** A terminal line that is redrawn while an edit or a download runs, and erased when it ends. */
import { sizeText } from "../machine/size-text.ts";

/** The part of a terminal stream used here. */
export interface Terminal {
  isTTY?: boolean | undefined;
  columns?: number | undefined;
  write(text: string): unknown;
}

export interface Progress {
  /** Shows a phase that has no steps, such as loading. */
  phase(text: string): void;
  /** Shows `step` of `of` steps done; `seconds` since the first began. */
  step(progress: { step: number; of: number; seconds: number }): void;
  /** Shows `done` of `of` edits done, of which the last may be a part; `secondsLeft` is known after a while. */
  edits(progress: { done: number; of: number; what: string; secondsLeft: number | undefined }): void;
  /** Shows what share of something is done. */
  share(progress: { what: string; done: number; of: number }): void;
  /** Shows `done` of `of` bytes; the rate is known after a while. */
  bytes(progress: { done: number; of: number; perSecond: number | undefined }): void;
  clear(): void;
}

const BAR_WIDTH = 24;
const CLEAR_TO_END = "\u001B[K";

/** Draws on a terminal; on anything else, such as a log file, it shows nothing. */
export function createProgress(stream: Terminal, isWanted: boolean): Progress {
  const isShown = isWanted && stream.isTTY === true;
  let isDrawn = false;
  const draw = (text: string): void => {
    if (!isShown) return;
    // A wrapped line could not be redrawn. Some terminals report a width of 0.
    const width = Math.max((stream.columns || 80) - 1, 1);
    stream.write(`\r${text.slice(0, width)}${CLEAR_TO_END}`);
    isDrawn = true;
  };
  return {
    phase: draw,
    step: (progress) => draw(stepLine(progress)),
    edits: (progress) => draw(editsLine(progress)),
    share: ({ what, done, of }) => draw(`${barOf(done / of)} ${what}, ${Math.floor((100 * done) / of)} %`),
    bytes: (progress) => draw(bytesLine(progress)),
    clear() {
      if (isDrawn) stream.write(`\r${CLEAR_TO_END}`);
      isDrawn = false;
    },
  };
}

function barOf(share: number): string {
  const filled = Math.round(BAR_WIDTH * Math.min(share, 1));
  return `[${"#".repeat(filled)}${"-".repeat(BAR_WIDTH - filled)}]`;
}

function bytesLine({ done, of, perSecond }: Parameters<Progress["bytes"]>[0]): string {
  const text = `${barOf(of > 0 ? done / of : 1)} ${sizeText(done)} of ${sizeText(of)}`;
  if (perSecond === undefined) return text;
  const left = perSecond > 0 ? `, ${duration((of - done) / perSecond)} left` : "";
  return `${text}, ${sizeText(perSecond)}/s${left}`;
}

function editsLine({ done, of, what, secondsLeft }: Parameters<Progress["edits"]>[0]): string {
  const left = secondsLeft === undefined ? "" : `${duration(secondsLeft)} left, `;
  return `${barOf(of > 0 ? done / of : 1)} ${Math.floor(done)}/${of}, ${left}${what}`;
}

function stepLine({ step, of, seconds }: { step: number; of: number; seconds: number }): string {
  const perStep = seconds / step;
  return `${barOf(step / of)} step ${step}/${of}, ${seconds2(perStep)} per step, ${duration(perStep * (of - step))} left`;
}

function seconds2(seconds: number): string {
  return `${seconds.toFixed(seconds < 10 ? 2 : 1)} s`;
}

/** "8 s", "3 min 05 s" or "2 h 10 min". */
export function duration(seconds: number): string {
  const whole = Math.round(seconds);
  const pad = (value: number): string => String(value).padStart(2, "0");
  if (whole < 60) return `${whole} s`;
  if (whole < 3600) return `${Math.floor(whole / 60)} min ${pad(whole % 60)} s`;
  return `${Math.floor(whole / 3600)} h ${pad(Math.floor((whole % 3600) / 60))} min`;
}
