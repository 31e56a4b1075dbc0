/** A process that measures a device's speed: it is told what to measure, answers after every figure, and ends. */
import { messageOf } from "../errors.ts";
import { measureDeviceSpeed } from "./device-speed.ts";
import type { SpeedAnswer, SpeedOrder } from "./measure-apart.ts";

process.once("message", ({ runtime, workload, types, msPerFigure }: SpeedOrder) => {
  const say = (answer: SpeedAnswer): void => void process.send?.(answer);
  const onFigure: NonNullable<Parameters<typeof measureDeviceSpeed>[2]>["onFigure"] = (speed) =>
    say({ kind: "figure", speed });
  measureDeviceSpeed(runtime, workload, { types, msPerFigure, onFigure }).then(
    (speed) => say({ kind: "done", speed }),
    (error: unknown) => say({ kind: "failed", reason: messageOf(error) }),
  );
});
