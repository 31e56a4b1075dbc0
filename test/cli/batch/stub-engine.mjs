// An engine without networks: a result is a small file that says what it was asked for. Each edit that ends is noted.
import { appendFileSync } from "node:fs";
import { setTimeout as sleep } from "node:timers/promises";

/**
 * @param options.log where a line is written for each edit that begins and ends
 * @param options.stepMs the longest time of a step; every one takes another
 * @param options.steps steps of an edit
 * @param options.fail says, by the prompt, which error an edit ends with
 */
export function stubEngine({ log, stepMs = 0, steps = 2, fail = () => undefined } = {}) {
  const note = (event, { prompt, seed }) => {
    if (log !== undefined) appendFileSync(log, `${event} ${prompt} ${seed}\n`);
  };
  return {
    checkpoint: { name: "stub", isDemo: false },
    device: { name: "cpu", reason: "stub", notices: [] },
    async edit(request, { signal, onStep, onState, resumeFrom } = {}) {
      note("begin", request);
      if (request.mask !== undefined) note(`mask ${request.mask.length}\n`, request);
      const from = resumeFrom === undefined ? 0 : Number(Buffer.from(resumeFrom).toString());
      for (let step = from + 1; step <= steps; step += 1) {
        if (signal?.aborted) throw Object.assign(new Error("aborted"), { code: "ABORTED" });
        note(`step-${step}`, request);
        await sleep(Math.random() * stepMs);
        await onStep?.({ step, of: steps, seconds: 0 });
        await onState?.({ step, of: steps, seconds: 0, encode: async () => Buffer.from(String(step)) });
      }
      const error = fail(request.prompt);
      if (error !== undefined) throw error;
      note("end", request);
      return {
        image: Buffer.from(`${request.prompt} ${request.seed} ${request.image.length}`),
        width: 4,
        height: 2,
        format: request.format,
        notices: [],
        seconds: { total: 0.01, denoise: 0.01 },
      };
    },
    async close() {},
  };
}
