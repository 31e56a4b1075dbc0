import { describe, expect, it } from "vitest";
import { levelsOf, readScheduleConfig, timeShift } from "../../../src/pipelines/flux1-kontext/schedule.ts";
import { Config } from "../../../src/weights/config.ts";
import { readJson } from "../../support/fixtures.ts";
import { refusal } from "../../support/refusal.ts";

interface ScheduleFixture {
  config: Record<string, number>;
  rows: { tokens: number; steps: number; mu: number; sigmas: number[] }[];
}

interface SchedulerFixture {
  /** Of the class's constructor, with their defaults. */
  fields: Record<string, unknown>;
  rows: {
    config: Record<string, unknown>;
    call: { tokens: number; steps?: number; sigmas?: number[] };
    result: { error: string } | { sigmas: number[]; timesteps: number[] };
  }[];
}

const FILE = "scheduler/scheduler_config.json";
const read = (fields: Record<string, unknown>) => readScheduleConfig(new Config(FILE, fields));
const float32 = (numbers: readonly number[]): number[] => numbers.map(Math.fround);

describe.each(Object.entries(readJson<Record<string, ScheduleFixture>>("schedule.json")))(
  "the schedule of %s",
  (_, { config, rows }) => {
    const schedule = read({ ...config, use_dynamic_shifting: true });

    it("shifts time by the number of tokens as the reference does", () => {
      expect(rows.length).toBeGreaterThan(50);
      for (const { tokens, mu } of rows) expect(timeShift(schedule, tokens)).toBeCloseTo(mu, 12);
    });

    it("has the reference's sigmas to the bit for every number of steps", () => {
      for (const { tokens, steps, sigmas } of rows) {
        const ours = levelsOf(schedule, { numSteps: steps }, tokens).sigmas;
        expect([...ours], `${tokens} tokens`).toEqual(float32(sigmas));
      }
    });
  },
);

describe("the scheduler's fields", () => {
  const { fields, rows } = readJson<SchedulerFixture>("scheduler.json");
  const differs = (name: string): boolean =>
    rows.some(({ config, result }) => {
      const plain = rows.find((row) => row.config[name] === undefined && onlyOne(config, row.config, name));
      return JSON.stringify(plain?.result) !== JSON.stringify(result);
    });
  /** Whether two configurations are equal but for one field. */
  const onlyOne = (config: object, other: object, name: string): boolean =>
    JSON.stringify({ ...config, [name]: undefined }) === JSON.stringify(other);

  it.each(Object.keys(fields).filter((name) => name !== "stochastic_sampling"))(
    "the table has another value of %s, which matters",
    (name) => {
      expect(rows.some(({ config }) => config[name] !== undefined && config[name] !== fields[name])).toBe(
        true,
      );
      expect(differs(name)).toBe(true);
    },
  );

  it.each(rows.map((row) => [JSON.stringify(row.config), JSON.stringify(row.call), row] as const))(
    "%s with %s gives the reference's levels to the bit, or a refusal where it fails",
    (_, __, { config, call, result }) => {
      const ours = () =>
        levelsOf(read(config), { numSteps: call.steps ?? 0, sigmas: call.sigmas }, call.tokens);
      if ("error" in result) return expect(ours).toThrow(/^In |gives no noise levels for it/);
      const { sigmas, timesteps } = ours();
      expect([...sigmas]).toEqual(float32(result.sigmas));
      expect([...timesteps]).toEqual(float32(result.timesteps));
    },
  );

  it("are refused by name where the class refuses them", () => {
    expect(() => read({ use_karras_sigmas: true, use_beta_sigmas: true })).toThrow(
      refusal(
        "CHECKPOINT_INVALID",
        `In ${FILE}, only one of use_karras_sigmas and use_beta_sigmas can be true.`,
      ),
    );
    expect(() => read({ time_shift_type: "quadratic" })).toThrow(
      `In ${FILE}, time_shift_type must be "exponential" or "linear" and is "quadratic".`,
    );
    expect(() => read({ base_image_seq_len: 256, max_image_seq_len: 256 })).toThrow(
      `In ${FILE}, base_image_seq_len and max_image_seq_len must differ; both are 256.`,
    );
    expect(() => levelsOf(read({ shift_terminal: 0.1 }), { numSteps: 1 }, 64)).toThrow(
      refusal(
        "INVALID_PARAMETER",
        "numSteps must not be 1: the checkpoint's scheduler gives no noise levels for it.",
      ),
    );
  });

  it("may be null, which means the default, and 0 or 1 where they are true or false", () => {
    const empty = Object.fromEntries(Object.keys(fields).map((name) => [name, null]));
    expect(read(empty)).toEqual(read({}));
    expect(read({ use_karras_sigmas: 1, invert_sigmas: 0 })).toEqual(read({ use_karras_sigmas: true }));
  });
});
