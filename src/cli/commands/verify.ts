/** `retouch verify` on the command line. */
import { invalid } from "../../errors.ts";
import { addFile } from "../arguments.ts";
import type { VerifyFlags } from "../receipts/verify.ts";
import { COMMAND, wordedBy } from "../surfaces.ts";
import { command, JSON_OPTION, option } from "./command.ts";
import { COMPUTE_OPTIONS, NETWORK_OPTIONS } from "./network-options.ts";

const MAX_DECIBELS = 100;

export const VERIFY = command<VerifyFlags>({
  name: "verify",
  summary: "check a result's receipt, and make the edit again",
  description:
    "Check the receipt of a result: who signed it, that nobody changed the file, and that the same edit gives the same picture.",
  arguments: [
    { name: "<file>", description: "a result: a path, an http(s) or data URL, or - for standard input" },
  ],
  options: [
    option(
      "--source <image>",
      "a picture that the edit was made of; again for each, in their order",
      addFile,
    ),
    option("--mask <file>", "the mask of the edit"),
    option("--receipt <file>", "the receipt beside the file, or its URL (default: the one in the file)"),
    option(
      "--key <file>",
      "a public key that is trusted, in PEM or as JWK, or the URL of a set; may be given again (default: that of RETOUCH_RECEIPT_KEY)",
      addFile,
    ),
    option("--unsigned", "take a receipt that nobody signed"),
    option("--picture-only", "let the file's other parts differ from what was signed, such as its metadata"),
    option("--prompt <text>", "the instruction, of which a receipt has only a digest"),
    option("--prompt-2 <text>", "the same of the text that T5 read"),
    option("--negative-prompt <text>", "the same of the negative prompt"),
    option("--lora <file>", "the file of a LoRA of the edit; may be given again", addFile),
    option(
      "--min-psnr <number>",
      "decibels from which the picture made again counts as the same, 0 to 100 (default: 30)",
      parseDecibels,
    ),
    option("--no-again", "check signature and file alone"),
    ...NETWORK_OPTIONS,
    ...COMPUTE_OPTIONS,
    JSON_OPTION,
    option("--quiet", "print nothing but errors"),
  ],
  run: async ({ arguments: [file], flags, signal }) => {
    const { runVerify } = await import("../receipts/verify.ts");
    await wordedBy(COMMAND, () => runVerify(file!, flags, { signal }));
  },
});

function parseDecibels(text: string): number {
  const value = /^\d+(?:\.\d+)?$/.test(text) ? Number(text) : NaN;
  if (value >= 0 && value <= MAX_DECIBELS) return value;
  const values = { field: "--min-psnr", wanted: "a number", min: 0, max: MAX_DECIBELS };
  throw invalid("range", { ...values, given: JSON.stringify(text.slice(0, 100)) });
}
