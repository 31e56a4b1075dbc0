/** Where the system has programs keep what they can make again. */
import { homedir } from "node:os";
import path from "node:path";

export interface System {
  home?: string | undefined;
  platform?: NodeJS.Platform | undefined;
}

/** A folder of this package's own in the user's cache folder; it need not be there. */
export function userCacheFolder({ home = homedir(), platform = process.platform }: System = {}): string {
  if (platform === "win32") return path.join(home, "AppData", "Local", "retouch", "cache");
  if (platform === "darwin") return path.join(home, "Library", "Caches", "retouch");
  return path.join(home, ".cache", "retouch");
}
