import { expect, it, onTestFinished, vi } from "vitest";
import { TELEMETRY_OFF } from "../../src/process-environment.ts";
import { engineEnvironment } from "../../src/worker/engine-environment.ts";

it("asks for large pages for an operator's checkpoint and for little memory for ours, unless told otherwise", () => {
  vi.stubEnv("GLIBC_TUNABLES", undefined);
  onTestFinished(() => void vi.unstubAllEnvs());
  expect(engineEnvironment(undefined)).toEqual({
    ...process.env,
    ...TELEMETRY_OFF,
    GLIBC_TUNABLES: "glibc.malloc.mmap_threshold=1048576:glibc.malloc.arena_max=2",
  });
  expect(engineEnvironment("/srv/kontext")).toEqual({
    ...process.env,
    ...TELEMETRY_OFF,
    GLIBC_TUNABLES: "glibc.malloc.hugetlb=1",
  });
  vi.stubEnv("GLIBC_TUNABLES", "glibc.malloc.arena_max=1");
  expect(engineEnvironment("/srv/kontext")["GLIBC_TUNABLES"]).toBe("glibc.malloc.arena_max=1");
});

it("keeps the runtime's telemetry off, whatever was said", () => {
  onTestFinished(() => void vi.unstubAllEnvs());
  for (const value of [undefined, "", "0", "false"]) {
    vi.stubEnv("ORT_DISABLE_TELEMETRY", value);
    expect(engineEnvironment(undefined)["ORT_DISABLE_TELEMETRY"]).toBe("1");
  }
});
