/** The clock of one program, which can be turned while it runs: libfaketime of Debian's package `faketime`. */
import { existsSync } from "node:fs";
import { rename, writeFile } from "node:fs/promises";
import { arch } from "node:os";

export interface Clock {
  /** Variables of the program's environment. */
  env: Record<string, string>;
  /** Turns it to so many seconds after the true time. Takes effect within a second. */
  set(seconds: number): Promise<void>;
}

const FOLDERS = { x64: "x86_64-linux-gnu", arm64: "aarch64-linux-gnu" } as Record<string, string>;
const LIBRARY = `/usr/lib/${FOLDERS[arch()]}/faketime/libfaketimeMT.so.1`;

/** Why no clock can be turned here; undefined where one can. */
export const clockMissing: string | undefined = existsSync(LIBRARY)
  ? undefined
  : "libfaketime is missing: apt-get install faketime";

/** @param file does not exist yet; the program must be able to read it */
export async function createClock(file: string): Promise<Clock> {
  const set = async (seconds: number): Promise<void> => {
    // Never half a file.
    await writeFile(`${file}.new`, `${seconds < 0 ? "-" : "+"}${Math.abs(seconds)}`);
    await rename(`${file}.new`, file);
  };
  await set(0);
  return {
    env: {
      LD_PRELOAD: LIBRARY,
      FAKETIME_TIMESTAMP_FILE: file,
      // Seconds of real time between two looks at the file.
      FAKETIME_CACHE_DURATION: "1",
      // What a machine's clock is set to does not move its timers.
      FAKETIME_DONT_FAKE_MONOTONIC: "1",
      FAKETIME_NO_CACHE: "0",
    },
    set,
  };
}
