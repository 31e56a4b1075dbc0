/** What the command line shows while weights are converted. */
import type { ConversionProgress } from "../index.ts";
import type { Progress } from "./progress.ts";

/** Shows the progress of a conversion. */
export function showConversion(progress: Progress): (conversion: ConversionProgress) => void {
  return ({ network, kind, phase, done, of }) => {
    const what = phase === "reading" ? `reading ${network}, once` : `converting ${network} to ${kind}`;
    progress.share({ what, done, of });
  };
}
