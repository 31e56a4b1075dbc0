/** The folder that keeps things between runs, and what is kept there; commands that read no other setting use it too. */
import { homedir } from "node:os";
import path from "node:path";
import { failure, RetouchError } from "../errors.ts";
import { type System, userCacheFolder } from "../machine/cache-folder.ts";
import { flag } from "./parsers.ts";

type Environment = Readonly<Record<string, string | undefined>>;

/** RETOUCH_CACHE_DIR, or `retouch` in the system's cache folder. */
export function readCacheFolder(
  environment: Environment,
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

/**
 * The file in which `retouch edit` and `retouch mcp` remember their edits, if they are to.
 * @param isAsked whether the command line asks for it
 * @throws RetouchError CONFIG_INVALID for another RETOUCH_HISTORY than true or false
 */
export function readHistoryFile(environment: Environment, isAsked = false): string | undefined {
  const given = environment["RETOUCH_HISTORY"] || "false";
  const isOn = flag.parse(given);
  if (isOn === undefined) {
    const values = {
      field: "RETOUCH_HISTORY",
      accepts: flag.accepts,
      given: JSON.stringify(given.slice(0, 100)),
    };
    throw new RetouchError("CONFIG_INVALID", failure("setting", values));
  }
  return isOn || isAsked ? path.join(readCacheFolder(environment), "history.jsonl") : undefined;
}
