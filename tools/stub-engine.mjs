// An engine process without networks, for the tests of the service and its benchmark. It is ready in a tenth of a second,
// and the prompt tells it how to behave:
//   sleep 500      takes 500 ms, spread over the steps
//   noise 500      the same, and the result is as many bytes as that of a real edit
//   fail TEXT      fails with the sentence TEXT
//   score 0.8,0.1  has results that the safety checker gives these scores, in their order
//   flagged        is refused by the safety checker
//   defect         throws what should not be thrown
//   crash          ends the process in the middle of the edit
//   crash 3        ends it after the third step, whichever step the edit goes on from
//   hang           reports its last step and blocks the process for ever: no message reaches it
// Of several results, the times and steps are those of all together. Any other prompt is done at once. Everything around the networks is the real thing: sources, storage, result, price.
// The checkpoint "unusable" is refused with a sentence, and "crash" ends the process at its start.
import { randomBytes } from "node:crypto";
import { setTimeout as delay } from "node:timers/promises";
import { Worker } from "node:worker_threads";
import { failure, RetouchError } from "../dist/errors.js";
import { formatOf } from "../dist/images/format.js";
import { Stopwatch } from "../dist/engine/stopwatch.js";
import { createAddressPolicy } from "../dist/net/address-policy.js";
import { createAgents } from "../dist/net/agents.js";
import { createHttpClient } from "../dist/net/http-client.js";
import { createLocalStorage } from "../dist/storage/local.js";
import { runEditJob } from "../dist/worker/edit-job.js";
import { endOf, ownStorage } from "../dist/worker/failures.js";
import { fetchSource } from "../dist/worker/fetch-source.js";
import { createOwnStorage } from "../dist/worker/own-storage.js";

const SPEED = { nativeArea: 16384, grid: 16, stepMs: 1, fixedMs: 1 };

let dependencies;
const running = new Map();
const stopping = new Map();

process.on("SIGINT", () => {});
process.on("SIGTERM", () => {});
process.on("disconnect", () => process.kill(process.pid, "SIGKILL"));
new Worker(new URL("../dist/worker/parent-watch.js", import.meta.url), {
  workerData: { parent: process.ppid },
}).unref();
process.on("message", (request) => {
  if (request.kind === "setup") void setUp(request.setup);
  else if (request.kind === "edit") void answering(request.id, (signal) => edit(request, signal));
  else if (request.kind === "fetch") void answering(request.id, (signal) => fetchPicture(request, signal));
  else if (request.kind === "check") void answering(request.id, () => checkStorage(request));
  else if (request.kind === "stopping") stopping.get(request.id)?.abort();
  else running.get(request.id)?.abort();
});

async function setUp(setup) {
  if (setup.engine.checkpoint === "unusable") {
    process.send({ kind: "unusable", message: "The checkpoint is missing." });
    return;
  }
  if (setup.engine.checkpoint === "crash") process.exit(3);
  // As many edits are worth running together as the setting says.
  worthTogether = setup.engine.batch;
  threshold = setup.engine.safety?.threshold ?? threshold;
  const agents = createAgents(createAddressPolicy(setup.allowPrivateHosts));
  const storage = createOwnStorage(await openStorage(setup.storage));
  dependencies = { engine, storage, agents, client: createHttpClient(agents), limits: setup };
  const device = { name: "cpu", reason: "a stub", computeType: "float32", notices: [] };
  if (setup.engine.device === "auto") device.notices.push("CUDA cannot be used.");
  process.send({ kind: "ready", speed: SPEED, checkpoint: engine.checkpoint.name, device });
}

async function openStorage(options) {
  if (options.kind === "local") return createLocalStorage(options.folder);
  // The S3 client alone takes longer to load than everything else.
  return (await import("../dist/storage/open.js")).openStorage(options);
}

let worthTogether;

/** Edits that were run here. */
let edits = 0;

async function edit({ id, edit, ...circumstances }, signal) {
  const isStopping = new AbortController();
  stopping.set(id, isStopping);
  const done = await runEditJob(dependencies, edit, {
    ...circumstances,
    signal,
    stopping: isStopping.signal,
    onProgress: (progress) => process.send({ kind: "progress", id, progress }),
    onStage: (stage) => process.send({ kind: "stage", id, stage }),
    onWaiting: (detail) => process.send({ kind: "waiting", id, detail }),
    onState: (kept) => process.send({ kind: "state", id, state: kept }),
    onNote: (note) => process.send({ kind: "note", id, note }),
  }).finally(() => stopping.delete(id));
  edits += 1;
  process.send({ kind: "encodings", encodings: { hits: edits, misses: 2 * edits, bytes: 8 } });
  return { kind: "completed", id, ...done };
}

async function fetchPicture({ id, url }, signal) {
  return { kind: "fetched", id, ...(await fetchSource(dependencies, url, signal)) };
}

async function checkStorage({ id }) {
  await ownStorage("The storage does not work.", () => dependencies.storage.check());
  return { kind: "checked", id };
}

async function answering(id, work) {
  const controller = new AbortController();
  running.set(id, controller);
  try {
    process.send(await work(controller.signal));
  } catch (error) {
    process.send(endOf(id, error, controller.signal));
  } finally {
    running.delete(id);
  }
}

/** From which score the stub's checker flags. */
let threshold = 0.7;
const CHECKER = { name: "stub", sha256: "00".repeat(32) };

/** What the checker says of each result. */
function verdictsOf(scores, { safetyThreshold = threshold, isFlaggedKept }) {
  return scores.map((score) => {
    const isFlagged = score >= safetyThreshold;
    if (isFlagged && !isFlaggedKept) {
      const values = { score: score.toFixed(3), threshold: safetyThreshold };
      throw new RetouchError("OUTPUT_FLAGGED", failure("flagged", values));
    }
    return { score, threshold: safetyThreshold, ...(isFlagged && { isFlagged }) };
  });
}

const engine = {
  checkerIdentity: async () => CHECKER,
  checkpoint: {
    name: "stub",
    nativeSize: 128,
    grid: 16,
    scale: { nativeArea: 16384, grid: 16 },
    weights: { transformer: "fp32", t5: "fp32" },
  },
  async edit(request, { signal, onStep, onState, resumeFrom, onResume, ...judging }) {
    const { prompt, numSteps, size, format, seed, guidance, negativePrompt, trueCfgScale } = request;
    const { numImages = 1 } = request;
    const started = performance.now();
    const images = [request.image ?? []].flat();
    if (!images.every((image) => formatOf(image)?.isAccepted)) {
      throw new RetouchError("IMAGE_INVALID", failure("imageUnknown", { accepted: "PNG and JPEG" }));
    }
    const [, verb, argument] = /^(\w*) ?(.*)$/s.exec(prompt);
    const crash = () => process.kill(process.pid, "SIGKILL");
    if (verb === "crash" && argument === "") crash();
    if (verb === "hang") {
      await onStep({ step: numSteps, of: numSteps, sketch });
      Atomics.wait(new Int32Array(new SharedArrayBuffer(4)), 0, 0);
    }
    if (verb === "flagged")
      throw new RetouchError("OUTPUT_FLAGGED", "The safety checker refused the result.");
    if (verb === "fail") throw new RetouchError("INVALID_PARAMETER", argument);
    if (verb === "defect") throw new TypeError("Cannot read properties of undefined");
    // Joined instructions go on after the number.
    const sleepMs = verb === "sleep" || verb === "noise" ? Number.parseFloat(argument) : 0;
    // Its state is the number of steps of all results, as a text.
    const from = resumeFrom === undefined ? 0 : Number(Buffer.from(resumeFrom).toString());
    const isRefused = resumeFrom !== undefined && !(from >= 1 && from <= numSteps * numImages);
    if (isRefused) onResume({ kind: "refused", reason: "is damaged" });
    else if (resumeFrom !== undefined) onResume({ kind: "resumed", step: from });
    for (let count = isRefused ? 1 : from + 1; count <= numSteps * numImages; count += 1) {
      if (verb === "crash" && count === Number(argument) + 1) crash();
      if (sleepMs > 0) await delay(sleepMs / numSteps / numImages, undefined, { signal });
      const image = numImages === 1 ? undefined : Math.floor((count - 1) / numSteps);
      const step = count - numSteps * (image ?? 0);
      await onStep({ step, of: numSteps, image, sketch });
      const seconds = (performance.now() - started) / 1000;
      await onState?.({
        step: count,
        of: numSteps * numImages,
        isImageFinished: image !== undefined && step === numSteps,
        seconds,
        encode: async () => Buffer.from(String(count)),
      });
    }
    const image = await picture(size, format, verb === "noise");
    const isScored = verb === "score" && request.isSafetyChecked !== false;
    const verdicts = isScored ? verdictsOf(argument.split(",").map(Number), judging) : [];
    const results = Array.from({ length: numImages }, (_, index) => ({
      image,
      seed: seed + index,
      safety: verdicts[index],
    }));
    const isNegativeUsed = negativePrompt.trim() !== "" && trueCfgScale > 1;
    return {
      image,
      images: results.map((one) => one.image),
      results,
      format,
      ...size,
      parameters: {
        prompt,
        numSteps,
        guidance,
        seed,
        format,
        size,
        negativePrompt: isNegativeUsed ? negativePrompt : "",
        trueCfgScale: isNegativeUsed ? trueCfgScale : 1,
      },
      workingSize: size,
      referenceSize: size,
      referenceSizes: images.map(() => size),
      notices: [],
      safety: verdicts.toSorted((a, b) => b.score - a.score)[0],
      worthTogether,
      resumedFrom: from >= 1 ? from : undefined,
      seconds: {
        total: (performance.now() - started) / 1000,
        denoise: sleepMs / 1000,
        parts: new Stopwatch().seconds,
      },
    };
  },
};

const sketch = async () => ({ width: 16, height: 16, data: new Uint8Array(16 * 16 * 3).fill(128) });

/** Grey or noise, of the size asked for, made once for each size and format. */
const pictures = new Map();
function picture({ width, height }, format, isNoise) {
  const name = `${width}*${height}.${format}${isNoise ? " noise" : ""}`;
  if (!pictures.has(name)) pictures.set(name, encode({ width, height }, format, isNoise));
  return pictures.get(name);
}

async function encode({ width, height }, format, isNoise) {
  const { encodePicture } = await import("../dist/images/encode.js");
  const bytes = width * height * 3;
  const data = isNoise ? new Uint8Array(randomBytes(bytes)) : new Uint8Array(bytes).fill(128);
  return encodePicture({ width, height, data }, format);
}
