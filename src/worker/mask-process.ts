/**
 * A process that says whether masks can be used, since no bytes from outside are decoded where HTTP is answered. It ends
 * with its parent, and prints nothing.
 */
import { messageOf, recordOf, RetouchError } from "../errors.ts";
import { checkMaskFile } from "../engine/masking.ts";
import { loadSharp } from "../images/sharp.ts";
import type { MaskAnswer, MaskOrder } from "./mask-checker.ts";

// The terminal and the service manager send these to the whole group; the parent decides when to end.
process.on("SIGINT", () => {});
process.on("SIGTERM", () => {});
process.on("disconnect", () => process.kill(process.pid, "SIGKILL"));
process.on("message", ({ given, maxPixels }: MaskOrder) => {
  checkMaskFile(given, { maxPixels }).then(
    () => say({ kind: "usable" }),
    (error: unknown) =>
      say(
        error instanceof RetouchError
          ? { kind: "refused", record: recordOf(error) }
          : { kind: "failed", reason: messageOf(error) },
      ),
  );
});
await loadSharp();
say({ kind: "ready" });

function say(answer: MaskAnswer): void {
  process.send?.(answer);
}
