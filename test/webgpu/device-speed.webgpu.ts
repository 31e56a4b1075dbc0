/** The speed of a Vulkan device in software, as `retouch doctor` measures it. */
import { execFile } from "node:child_process";
import path from "node:path";
import { promisify } from "node:util";
import { describe, expect, it } from "vitest";
import type { MeasuredDevice } from "../../src/engine/measured-devices.ts";
import { root } from "../support/fixtures.ts";
import { softwareGpu, withoutSoftwareGpu } from "../../tools/software-gpu.ts";

const run = promisify(execFile);

describe("retouch doctor", () => {
  it("measures WebGPU beside the processor, and estimates an edit on each", async ({ skip }) => {
    if (withoutSoftwareGpu !== undefined) skip(withoutSoftwareGpu);
    const program = path.join(root, "bin", "retouch.js");
    const env = softwareGpu();
    const json = await run(process.execPath, [program, "doctor", "--json"], { env });
    const { devices, weights } = JSON.parse(json.stdout) as {
      devices: { reports: MeasuredDevice[] };
      weights: {
        kinds: { kind: string; edits: { times: { device: string; seconds: number | null }[] }[] }[];
      };
    };
    const webgpu = devices.reports.find(({ device }) => device === "webgpu")!;
    expect(webgpu).toMatchObject({ isUsable: true });
    expect(webgpu.speedReason).toBeUndefined();
    const { products, attention, convolutions, upBytes, downBytes, runSeconds, failures } = webgpu.speed!;
    console.log(`webgpu in software: ${JSON.stringify(webgpu.speed)}`);
    // A device in software has no half precision.
    expect(Object.keys(products)).toEqual(["float32", "int8", "int4"]);
    expect(Object.keys(failures).filter((name) => !name.includes("float16"))).toEqual([]);
    for (const rate of [...Object.values(products), attention.float32, convolutions, upBytes, downBytes]) {
      expect(rate).toBeGreaterThan(1e6);
      expect(rate).toBeLessThan(1e13);
    }
    expect(runSeconds).toBeGreaterThan(0);
    for (const { kind, edits } of weights.kinds) {
      const times = new Map(edits[0]!.times.map(({ device, seconds }) => [device, seconds]));
      expect(times.get("webgpu"), kind).toBeGreaterThan(times.get("cpu")!);
    }
  });
});
