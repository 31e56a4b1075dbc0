/** Where the system wants programs to keep files that they can recreate. */
import { homedir } from "node:os";
import path from "node:path";

export interface System {
  home?: string | undefined;
  platform?: NodeJS.Platform | undefined;
}

/** This package's own folder in the user's cache folder; it may not exist yet. */
export function userCacheFolder({ home = homedir(), platform = process.platform }: System = {}): string {
  if (platform === "win32") return path.join(home, "AppData", "Local", "retouch", "cache");
  if (platform === "darwin") return path.join(home, "Library", "Caches", "retouch");
  return path.join(home, ".cache", "retouch");
}
