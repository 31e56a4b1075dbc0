/** What the command line shows while weights are converted. */
import type { ConversionProgress } from "../index.ts";
import type { Progress } from "./progress.ts";

const NAMES: Readonly<Record<string, string>> = { transformer: "the transformer", t5: "T5" };

/** Shows the progress of a conversion. */
export function showConversion(progress: Progress): (conversion: ConversionProgress) => void {
  return ({ network, kind, phase, done, of }) => {
    const name = NAMES[network] ?? network;
    const what = phase === "reading" ? `reading ${name}, once` : `converting ${name} to ${kind}`;
    progress.share({ what, done, of });
  };
}
