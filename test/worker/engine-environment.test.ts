import { expect, it, onTestFinished, vi } from "vitest";
import { engineEnvironment } from "../../src/worker/engine-environment.ts";

it("asks for large pages for a checkpoint of the operator's, unless it is said otherwise", () => {
  vi.stubEnv("GLIBC_TUNABLES", undefined);
  onTestFinished(() => void vi.unstubAllEnvs());
  expect(engineEnvironment(undefined)).toEqual(process.env);
  expect(engineEnvironment("/srv/kontext")).toEqual({
    ...process.env,
    GLIBC_TUNABLES: "glibc.malloc.hugetlb=1",
  });
  vi.stubEnv("GLIBC_TUNABLES", "glibc.malloc.arena_max=1");
  expect(engineEnvironment("/srv/kontext")["GLIBC_TUNABLES"]).toBe("glibc.malloc.arena_max=1");
});
