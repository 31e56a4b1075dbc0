/**
 * The service as `retouch serve` runs it, with two things that no setting of it offers: another engine, and the delay of
 * its event loop. Settings are environment variables; RETOUCH_API_KEY is one of them.
 * It answers any message over the channel with the delay since the previous one.
 * Arguments: [URL of the engine's compiled program]
 */
import { monitorEventLoopDelay } from "node:perf_hooks";
import { loadConfig } from "../../src/config/config.ts";
import { createLog } from "../../src/log.ts";
import { startService } from "../../src/service/service.ts";

/** Milliseconds between two looks at the clock. Every measured delay includes them, so none is shorter. */
const RESOLUTION_MS = 10;

export interface LoopDelay {
  /** Milliseconds. */
  p50: number;
  p99: number;
  max: number;
}

const [engine] = process.argv.slice(2);
const config = loadConfig();
const log = createLog({ level: config.logLevel });
const service = await startService({
  config,
  log,
  engineEntry: engine === undefined ? undefined : new URL(engine),
});
await service.keys.ensure(config.apiKey!, "benchmark");

const delays = monitorEventLoopDelay({ resolution: RESOLUTION_MS });
delays.enable();
process.on("message", () => {
  const inMs = (nanoseconds: number): number => nanoseconds / 1e6;
  const answer: LoopDelay = {
    p50: inMs(delays.percentile(50)),
    p99: inMs(delays.percentile(99)),
    max: inMs(delays.max),
  };
  process.send!(answer);
  delays.reset();
});
for (const name of ["SIGINT", "SIGTERM"] as const) {
  process.once(name, () => void service.close().then(() => process.exit()));
}
