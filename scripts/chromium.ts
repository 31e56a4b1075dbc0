/** Chromium, as Debian ships it, driven by playwright-core; nothing is downloaded. */
import { existsSync } from "node:fs";
import path from "node:path";
import { type Browser, chromium } from "playwright-core";

const NAMES = ["chromium", "chromium-browser", "google-chrome"];

function findBrowser(): string {
  const folders = (process.env["PATH"] ?? "").split(path.delimiter);
  const found = [
    process.env["CHROMIUM"],
    ...NAMES.flatMap((name) => folders.map((folder) => path.join(folder, name))),
  ].find((file) => file !== undefined && existsSync(file));
  if (found === undefined) {
    throw new Error(
      "This needs Chromium: `apt-get install chromium`, or CHROMIUM with the path of the program.",
    );
  }
  return found;
}

/** Starts it without a sandbox of its own, which containers do not allow. @param args more of Chromium's own options */
export const launch = (args: readonly string[] = []): Promise<Browser> =>
  chromium.launch({ executablePath: findBrowser(), args: ["--no-sandbox", ...args] });
