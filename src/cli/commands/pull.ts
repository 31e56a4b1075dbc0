/** `retouch pull` on the command line. */
import type { PullFlags } from "../pull.ts";
import { command, option } from "./command.ts";

export const PULL = command<PullFlags>({
  name: "pull",
  summary: "download a checkpoint from the Hugging Face hub",
  description: "Download a checkpoint into the Hugging Face cache, or continue a download.",
  arguments: [{ name: "[repo]", description: "org/name (default: black-forest-labs/FLUX.1-Kontext-dev)" }],
  options: [
    option("--revision <revision>", "a branch, a tag or a commit (default: main)"),
    option("--cache-dir <dir>", "the cache folder (default: HF_HUB_CACHE, or the usual place)"),
    option("--accept-license", "accept the licence of the weights, which is shown, without a prompt"),
    option("--json", "print the result as one line of JSON"),
    option("--quiet", "print nothing but the folder, and errors"),
  ],
  stopSentence:
    "Stopping; what was downloaded is kept, and the same command continues from there. Press Ctrl-C again to stop at once.",
  run: async ({ arguments: [repository], flags, signal }) =>
    (await import("../pull.ts")).runPull(repository, flags, signal),
});
