import { afterEach, describe, expect, it, vi } from "vitest";
import { loadConfig } from "../../src/config/config.ts";

afterEach(() => {
  vi.unstubAllEnvs();
});

describe("the settings of a process", () => {
  it("are those of its environment, with the flags of the command line before them where these are given", () => {
    vi.stubEnv("RETOUCH_PORT", "9001");
    vi.stubEnv("RETOUCH_HOST", "0.0.0.0");
    const config = loadConfig({ RETOUCH_PORT: "9002", RETOUCH_HOST: undefined });
    expect(config).toMatchObject({ port: 9002, host: "0.0.0.0" });
  });
});
