/** `retouch pull` on the command line. */
import type { PullFlags } from "../pull.ts";
import { command, option } from "./command.ts";

export const PULL = command<PullFlags>({
  name: "pull",
  summary: "download a checkpoint from the Hugging Face hub",
  description: "Download a checkpoint into the cache of Hugging Face's tools, or go on with a download.",
  arguments: [{ name: "[repo]", description: "org/name (default: black-forest-labs/FLUX.1-Kontext-dev)" }],
  options: [
    option("--revision <revision>", "a branch, a tag or a commit (default: main)"),
    option("--cache-dir <dir>", "the cache folder (default: HF_HUB_CACHE, or where it is without)"),
    option("--accept-license", "accept the licence of the weights, which is shown, without being asked"),
    option("--json", "print the result as one line of JSON"),
    option("--quiet", "print nothing but the folder, and errors"),
  ],
  stopSentence:
    "Stopping; what has come stays, and the same command goes on from there; once more stops at once.",
  run: async ({ arguments: [repository], flags, signal }) =>
    (await import("../pull.ts")).runPull(repository, flags, signal),
});
