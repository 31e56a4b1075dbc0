/** The folder that keeps converted weights between runs; commands that read no other setting use it too. */
import { homedir } from "node:os";
import path from "node:path";
import { type System, userCacheFolder } from "../machine/cache-folder.ts";

/** RETOUCH_CACHE_DIR, or `retouch` in the system's cache folder. */
export function readCacheFolder(
  environment: Readonly<Record<string, string | undefined>>,
  { home = homedir(), platform = process.platform }: System = {},
): string {
  const given = environment["RETOUCH_CACHE_DIR"];
  if (given) return path.resolve(given.replace(/^~(?=$|[/\\])/, home));
  if (environment["XDG_CACHE_HOME"]) return path.join(environment["XDG_CACHE_HOME"], "retouch");
  if (platform === "win32" && environment["LOCALAPPDATA"]) {
    return path.join(environment["LOCALAPPDATA"], "retouch", "cache");
  }
  return userCacheFolder({ home, platform });
}
