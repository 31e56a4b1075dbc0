/** What an edit will take, as it is set up now: its size, its time and its cost. */
import type { Api, Estimate, Price } from "./api.ts";
import { find } from "./dom.ts";
import type { ParameterForm } from "./parameters.ts";
import { costOf, showCost } from "./price.ts";
import { showSeconds } from "./seconds.ts";
import type { Size } from "./size-field.ts";

export interface CostLine {
  /** Of the image that is edited, if there is one. */
  setImage(image: Size | undefined): void;
  setPrice(price: Price | undefined): void;
  /** Asks the server for its times again: it may have measured itself meanwhile. */
  refresh(): void;
}

/** After the last change of what the time depends on. */
const CALM_MS = 250;

/** @param hasKey whether the server can be asked */
export function createCostLine(api: Api, parameters: ParameterForm, hasKey: () => boolean): CostLine {
  const line = find("estimate");
  let price: Price | undefined;
  let image: Size | undefined;
  let estimate: Estimate = {};
  let asked = "";
  let timer: ReturnType<typeof setTimeout> | undefined;

  function draw(): void {
    const size = parameters.size();
    if (!Number.isFinite(size.width * size.height)) {
      line.textContent = "";
      return;
    }
    const { steps, skipped, results } = parameters.work();
    const { fixed_ms: fixedMs, step_ms: stepMs } = estimate;
    const cost = price?.is_set ? `, costs ${showCost(costOf(price, size) * results)}` : "";
    const isKnown = fixedMs !== undefined && stepMs !== undefined;
    const seconds = isKnown ? (results * (fixedMs + stepMs * (steps - skipped))) / 1000 : undefined;
    const time = seconds === undefined ? "" : `, about ${showSeconds(seconds)}`;
    line.textContent = `${size.width} × ${size.height}${time}${cost}`;
    parameters.showTimes(
      seconds === undefined || stepMs === undefined
        ? undefined
        : {
            all: `About ${showSeconds(seconds)} in all`,
            step: `${showSeconds((results * stepMs) / 1000)} a step`,
            skipped: `leaves out ${skipped} of ${steps} steps`,
          },
    );
  }

  async function ask(): Promise<void> {
    const size = parameters.size();
    if (!hasKey() || !Number.isFinite(size.width * size.height)) return;
    const of = { size, image, ...parameters.passes() };
    asked = JSON.stringify(of);
    // Without it, the page only says less.
    const answer = await api.estimate(of).catch(() => estimate);
    if (asked !== JSON.stringify(of)) return;
    estimate = answer;
    draw();
  }

  function changed(): void {
    draw();
    clearTimeout(timer);
    if (JSON.stringify({ size: parameters.size(), image, ...parameters.passes() }) !== asked)
      timer = setTimeout(() => void ask(), CALM_MS);
  }

  parameters.onChange(changed);
  return {
    setImage(next) {
      image = next && { width: next.width, height: next.height };
      changed();
    },
    setPrice(next) {
      price = next;
      draw();
    },
    refresh: () => void ask(),
  };
}
