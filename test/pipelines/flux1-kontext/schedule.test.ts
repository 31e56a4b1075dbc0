import { describe, expect, it } from "vitest";
import { readScheduleConfig, sigmasOf, timeShift } from "../../../src/pipelines/flux1-kontext/schedule.ts";
import { Config } from "../../../src/weights/config.ts";
import { difference } from "../../support/compare.ts";
import { readJson } from "../../support/fixtures.ts";
import { refusal } from "../../support/refusal.ts";

interface ScheduleFixture {
  config: Record<string, number>;
  rows: { tokens: number; steps: number; mu: number; sigmas: number[] }[];
}

const FILE = "scheduler/scheduler_config.json";
const read = (fields: Record<string, unknown>) => readScheduleConfig(new Config(FILE, fields));

describe.each(Object.entries(readJson<Record<string, ScheduleFixture>>("schedule.json")))(
  "the schedule of %s",
  (_, { config, rows }) => {
    const schedule = read({ ...config, use_dynamic_shifting: true });

    it("shifts time by the number of tokens as the reference does", () => {
      expect(rows.length).toBeGreaterThan(50);
      for (const { tokens, mu } of rows) expect(timeShift(schedule, tokens)).toBeCloseTo(mu, 12);
    });

    it("has the reference's sigmas for every number of steps", () => {
      for (const { tokens, steps, sigmas } of rows) {
        expect(
          difference(sigmasOf(schedule, steps, tokens), sigmas).largest,
          `${tokens} tokens`,
        ).toBeLessThan(1e-6);
      }
    });
  },
);

describe("a schedule", () => {
  it("with a fixed shift bends the straight line by it, whatever the picture's size", () => {
    const schedule = read({ shift: 3 });
    // diffusers 0.42.1, FlowMatchEulerDiscreteScheduler(shift=3.0).set_timesteps(sigmas=numpy.linspace(1, 1/4, 4))
    const expected = [1, 0.9, 0.75, 0.5, 0].map(Math.fround);
    for (const tokens of [4, 4096]) expect([...sigmasOf(schedule, 4, tokens)]).toEqual(expected);
  });

  it("without any shift is the straight line", () => {
    expect([...sigmasOf(read({}), 4, 256)]).toEqual([1, 0.75, 0.5, 0.25, 0]);
  });

  it("of one step goes from all noise to none", () => {
    expect([...sigmasOf(read({ use_dynamic_shifting: true }), 1, 256)]).toEqual([1, 0]);
  });

  it("falls always", () => {
    const sigmas = sigmasOf(read({ use_dynamic_shifting: true }), 50, 4096);
    for (let step = 0; step < 50; step += 1) expect(sigmas[step + 1]).toBeLessThan(sigmas[step]!);
  });
});

describe("a scheduler's configuration", () => {
  it.each([
    ["use_karras_sigmas", true],
    ["use_exponential_sigmas", true],
    ["use_beta_sigmas", true],
    ["invert_sigmas", true],
    ["stochastic_sampling", true],
    ["shift_terminal", 0.02],
    ["time_shift_type", "linear"],
    ["_class_name", "DDIMScheduler"],
  ])("is refused where %s is %o, by name", (name, value) => {
    expect(() => read({ [name]: value })).toThrow(
      refusal(
        "CHECKPOINT_UNSUPPORTED",
        `In ${FILE}, ${name} is ${JSON.stringify(value)}, which is not implemented.`,
      ),
    );
  });

  it("is taken where these settings leave the schedule alone", () => {
    const harmless = {
      _class_name: "FlowMatchEulerDiscreteScheduler",
      use_karras_sigmas: false,
      use_exponential_sigmas: null,
      use_beta_sigmas: false,
      invert_sigmas: false,
      stochastic_sampling: false,
      shift_terminal: null,
      time_shift_type: "exponential",
    };
    expect(() => read(harmless)).not.toThrow();
  });

  it("is refused where the line of its shift has one point only", () => {
    expect(() => read({ base_image_seq_len: 256, max_image_seq_len: 256 })).toThrow(
      refusal(
        "CHECKPOINT_INVALID",
        `In ${FILE}, base_image_seq_len and max_image_seq_len must differ; both are 256.`,
      ),
    );
  });
});
