/** LoRAs over the wire, with the real engine: what a folder offers, and what an edit makes of it. */
import path from "node:path";
import { afterAll, beforeAll, describe, expect, it } from "vitest";
import { fixtures } from "../support/fixtures.ts";
import { type Answer, realEngine, startTestService, type TestService } from "../support/service.ts";

let server: TestService;
beforeAll(async () => {
  server = await startTestService({
    database: "PGlite",
    engine: realEngine,
    settings: {
      RETOUCH_CHECKPOINT: path.join(fixtures, "checkpoints", "plain"),
      RETOUCH_LORAS: path.join(fixtures, "loras"),
      RETOUCH_SAFETY: "off",
    },
  });
});
afterAll(() => server.close());

const edit = (input: object): Promise<Answer> =>
  server.call("/runsync", {
    body: {
      input: {
        prompt: "Make it night",
        image: `${server.address}/examples/bluebird.png`,
        size: "256*256",
        num_inference_steps: 1,
        seed: 3,
        enable_base64_output: true,
        ...input,
      },
    },
  });

describe("the LoRAs of a service", () => {
  it("change the picture, alone and together, and stand in the output", async () => {
    const pictures = new Set<string>();
    for (const loras of [
      [],
      [{ name: "peft", scale: 0.5 }],
      [
        { name: "peft", scale: 0.5 },
        { name: "xlabs", scale: -1 },
      ],
    ]) {
      const { body } = await edit({ loras });
      expect(body).toMatchObject({ status: "COMPLETED" });
      expect(body.output.loras).toEqual(loras.length > 0 ? loras : undefined);
      pictures.add(body.output.image_url);
    }
    expect(pictures.size).toBe(3);
  });

  it("fail a job by their name, without a path, where the file is none", async () => {
    // What the other fixtures are compared with: a file of the folder, and no LoRA.
    const { body } = await edit({ loras: [{ name: "velocities" }] });
    expect(body).toMatchObject({
      status: "FAILED",
      error: "loras: the file of the LoRA velocities is missing or damaged, or does not fit the network.",
    });
  });

  it("are refused at once by a name that is not on the list", async () => {
    const { status, body } = await edit({ loras: [{ path: "../loras/peft" }] });
    expect(status).toBe(400);
    expect(body.error).toBe(
      'loras: there is no LoRA "../loras/peft"; known are alphas, control, dora, few-step-velocities, hyper, kohya, original, patterns, peft, text and 3 more.',
    );
  });
});
