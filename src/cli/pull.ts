/** `retouch pull`: downloads a checkpoint from the hub once its licence has been accepted. */
import path from "node:path";
import { createInterface } from "node:readline/promises";
import { loadHubSettings } from "../config/config.ts";
import { RetouchError } from "../errors.ts";
import type { Licence } from "../hub/listing.ts";
import { type Listing, pull } from "../hub/pull.ts";
import { MAIN, PUBLISHED } from "../hub/repository.ts";
import { sizeText } from "../machine/size-text.ts";
import { readToken } from "../hub/token.ts";
import { printText } from "./output.ts";
import { createProgress } from "./progress.ts";
import { oneLine } from "./report.ts";
import { PIPELINES } from "../index.ts";

/** The flags as commander passes them. */
export interface PullFlags {
  revision?: string | undefined;
  cacheDir?: string | undefined;
  acceptLicense?: boolean | undefined;
  json?: boolean | undefined;
  quiet?: boolean | undefined;
}

/** How far back the rate looks. */
const RATE_WINDOW_MS = 10_000;

/** Downloads what the cache lacks and prints where the checkpoint is. @throws RetouchError */
export async function runPull(
  name: string = PUBLISHED,
  flags: PullFlags,
  signal: AbortSignal,
): Promise<void> {
  const settings = loadHubSettings();
  const isTold = !flags.quiet && !flags.json;
  const progress = createProgress(process.stderr, isTold);
  const say = (sentence: string): void => {
    if (!isTold) return;
    progress.clear();
    process.stderr.write(`${oneLine(sentence)}\n`);
  };
  const rateOf = createRate();
  let listing: Listing | undefined;
  let filesLeft = 0;
  let lastDrawn = 0;
  try {
    progress.phase(`asking ${settings.endpoint}`);
    const pulled = await pull({
      families: PIPELINES,
      repository: { name, revision: flags.revision ?? MAIN },
      endpoint: settings.endpoint,
      cacheFolder: flags.cacheDir === undefined ? settings.cacheFolder : path.resolve(flags.cacheDir),
      token: await readToken(settings),
      isOffline: settings.isOffline,
      proxies: settings.proxies,
      signal,
      accept: async (licence) => {
        progress.clear();
        await acceptLicence(name, licence, flags, signal);
      },
      watch: {
        onListed(found) {
          listing = found;
          filesLeft = found.missing.length;
          for (const line of listingLines(found)) say(line);
        },
        onProgress(done, received) {
          const now = Date.now();
          if (now - lastDrawn < 100) return;
          lastDrawn = now;
          const of = listing?.totalBytes ?? 0;
          progress.bytes({ done, of, perSecond: rateOf(received, now) });
        },
        onFile(file) {
          filesLeft -= 1;
          if (!process.stderr.isTTY) say(`${file.path} downloaded; files left: ${filesLeft}`);
        },
        onWait: () => say("Waiting for another download of the same repository."),
      },
    });
    progress.clear();
    const { folder, downloadedBytes } = pulled;
    const command = `retouch edit PICTURE PROMPT --checkpoint ${shellWord(folder)}`;
    if (flags.json) {
      const files = listing!.files.map(({ path: file, size }) => ({ path: file, size }));
      await printText(process.stdout, `${JSON.stringify({ ...pulled, files })}\n`);
    } else if (flags.quiet) {
      await printText(process.stdout, `${folder}\n`);
    } else {
      say(
        downloadedBytes === 0
          ? "All files are present."
          : `${sizeText(downloadedBytes)} downloaded and checked.`,
      );
      await printText(process.stdout, `${folder}\n`);
      say(`To use it: ${command}`);
    }
  } finally {
    progress.clear();
  }
}

function listingLines({ files, totalBytes, missing, missingBytes }: Listing): string[] {
  if (files.length === 0) return [];
  const width = Math.max(...files.map(({ size }) => sizeText(size).length));
  const isMissing = new Set(missing);
  return [
    ...files.map((file) => {
      const state = isMissing.has(file) ? "" : " (there)";
      return `${sizeText(file.size).padStart(width)} ${file.path}${state}`;
    }),
    `${files.length} files, ${sizeText(totalBytes)}, of which ${sizeText(missingBytes)} to download.`,
  ];
}

/** Shows a licence and asks for a yes if one is needed. @throws RetouchError INVALID_PARAMETER without one */
async function acceptLicence(
  name: string,
  { name: licence, link, isAsked }: Licence,
  flags: PullFlags,
  signal: AbortSignal,
): Promise<void> {
  const owner = oneLine(`${name} has the licence ${licence}`);
  const sentence = `${owner}: ${oneLine(link)}`;
  if (!isAsked || flags.acceptLicense) {
    if (!flags.quiet && !flags.json) process.stderr.write(`${sentence}\n`);
    return;
  }
  if (!process.stdin.isTTY || !process.stderr.isTTY) {
    throw new RetouchError(
      "INVALID_PARAMETER",
      `${owner}, which must be accepted first: read it at ${oneLine(link)}, then pass --accept-license.`,
    );
  }
  process.stderr.write(`${sentence}\n`);
  if (await isConfirmed("Do you accept this licence? [y/N] ", signal)) return;
  throw new RetouchError("INVALID_PARAMETER", "The licence was not accepted; nothing was downloaded.");
}

async function isConfirmed(question: string, signal: AbortSignal): Promise<boolean> {
  // In terminal mode, readline would take Ctrl-C away from the process.
  const lines = createInterface({ input: process.stdin, output: process.stderr, terminal: false });
  const ended = new Promise<string>((resolve) => {
    lines.once("close", () => resolve(""));
  });
  try {
    const answer = await Promise.race([lines.question(question, { signal }), ended]);
    return /^y(es)?$/i.test(answer.trim());
  } catch {
    throw new RetouchError("ABORTED", "The download was interrupted.");
  } finally {
    lines.close();
  }
}

/** Bytes per second over the last seconds. */
function createRate(): (received: number, now: number) => number | undefined {
  const seen: { received: number; now: number }[] = [];
  return (received, now) => {
    seen.push({ received, now });
    while (seen.length > 2 && now - seen[0]!.now > RATE_WINDOW_MS) seen.shift();
    const first = seen[0]!;
    const seconds = (now - first.now) / 1000;
    return seconds < 1 ? undefined : (received - first.received) / seconds;
  };
}

/** A path as a shell reads it back. */
function shellWord(text: string): string {
  return /^[\w@%+=:,./-]+$/.test(text) ? text : `'${text.replaceAll("'", "'\\''")}'`;
}
