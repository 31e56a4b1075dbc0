import path from "node:path";
import { describe, expect, it } from "vitest";
import { readCacheFolder } from "../../src/config/cache-settings.ts";

const home = path.resolve("/home/ann");

describe("the folder of converted weights", () => {
  it.each<[Record<string, string>, NodeJS.Platform, string]>([
    [{}, "linux", path.join(home, ".cache", "retouch")],
    [{}, "darwin", path.join(home, "Library", "Caches", "retouch")],
    [{}, "win32", path.join(home, "AppData", "Local", "retouch", "cache")],
    [{ LOCALAPPDATA: "/local" }, "win32", path.join("/local", "retouch", "cache")],
    [{ XDG_CACHE_HOME: "/xdg" }, "linux", path.join("/xdg", "retouch")],
    [{ XDG_CACHE_HOME: "/xdg", RETOUCH_CACHE_DIR: "/var/own" }, "linux", path.resolve("/var/own")],
    [{ RETOUCH_CACHE_DIR: "~/own" }, "linux", path.join(home, "own")],
    [{ RETOUCH_CACHE_DIR: "" }, "linux", path.join(home, ".cache", "retouch")],
  ])("with %j on %s is %s", (environment, platform, folder) => {
    expect(readCacheFolder(environment, { home, platform })).toBe(folder);
  });
});
