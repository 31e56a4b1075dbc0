/** An edit frees what it holds on the device, however it ends; on the CPU, that it asks to is what can be seen. */
import { readFile } from "node:fs/promises";
import path from "node:path";
import { afterEach, beforeEach, describe, expect, it, onTestFinished, vi } from "vitest";
import { Components } from "../../src/engine/components.ts";
import { createEngine, type Engine } from "../../src/engine/engine.ts";
import type { EditRequest } from "../../src/engine/request.ts";
import { messageOf } from "../../src/errors.ts";
import { AdapterInputs } from "../../src/models/adapters.ts";
import { Session } from "../../src/runtime/session.ts";
import { fixtures } from "../support/fixtures.ts";

const CHECKPOINTS = [
  ["FLUX.1 Kontext", "checkpoints/plain"],
  ["FLUX.2 [klein]", "klein/checkpoints/plain"],
] as const;
const NUM_STEPS = 3;

let request: EditRequest;
/** The networks that ran, and `free` where it was called. */
let log: string[];

beforeEach(async () => {
  log = [];
  const { run, free } = Components.prototype;
  vi.spyOn(Components.prototype, "run").mockImplementation(function (this: Components, name, ...given) {
    log.push(name);
    return run.call(this, name, ...given);
  });
  vi.spyOn(Components.prototype, "free").mockImplementation(function (this: Components) {
    log.push("free");
    free.call(this);
  });
  const image = await readFile(path.join(fixtures, "pictures", "scene-64x64.png"));
  request = { image, prompt: "a red square", numSteps: NUM_STEPS, seed: 3 };
});
afterEach(() => vi.restoreAllMocks());

async function open(folder: string, loras: Record<string, string> = {}): Promise<Engine> {
  const checkpoint = path.join(fixtures, folder);
  const engine = await createEngine({ checkpoint, threads: 1, loras, safety: { isOn: false } });
  onTestFinished(() => engine.close());
  return engine;
}

describe.each(CHECKPOINTS)("an edit with %s", (_, folder) => {
  it("frees before the decoder runs, and at its end", async () => {
    const engine = await open(folder);
    await engine.edit(request);
    expect(log.slice(log.indexOf("transformer"))).toEqual([
      ...Array.from({ length: NUM_STEPS }, () => "transformer"),
      "free",
      "decoder",
      "free",
    ]);
  });

  it("frees when it is aborted, when its caller fails, and when a network fails", async () => {
    const engine = await open(folder);
    const reasonOf = (edit: Promise<unknown>): Promise<string> => edit.then(() => "none", messageOf);
    const lastOf = (): string[] => log.slice(log.lastIndexOf("transformer"));

    const abort = new AbortController();
    const aborted = engine.edit(request, { onStep: () => abort.abort(), signal: abort.signal });
    expect(await reasonOf(aborted)).toBe("The edit was cancelled.");
    expect(lastOf()).toEqual(["transformer", "free"]);

    log = [];
    const onStep = (): void => {
      throw new Error("the disk is full");
    };
    expect(await reasonOf(engine.edit(request, { onStep }))).toBe("the disk is full");
    expect(lastOf()).toEqual(["transformer", "free"]);

    log = [];
    const { run } = Session.prototype;
    vi.spyOn(Session.prototype, "run").mockImplementation(async function (this: Session, inputs) {
      const outputs = await run.call(this, inputs);
      if ("velocity" in outputs) throw new Error("the device is lost");
      return outputs;
    });
    expect(await reasonOf(engine.edit(request))).toBe("the device is lost");
    expect(lastOf()).toEqual(["transformer", "free"]);
  });
});

it("lists a network's adapters once an edit", async () => {
  const inputsOf = vi.spyOn(AdapterInputs.prototype, "inputsOf");
  const engine = await open("checkpoints/plain", { ink: path.join(fixtures, "loras", "peft.safetensors") });
  await engine.edit({ ...request, loras: [{ name: "ink" }] });
  // CLIP, modulation, embedders and transformer; the next edit begins anew.
  expect(inputsOf).toHaveBeenCalledTimes(4);
  await engine.edit({ ...request, loras: [{ name: "ink" }] });
  expect(inputsOf.mock.calls.length).toBeGreaterThan(5);
});
