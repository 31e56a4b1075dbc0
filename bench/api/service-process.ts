/**
 * The service as `retouch serve` runs it, for what that cannot be asked: another engine, which has no setting, and the
 * delay of its event loop. Settings are variables of the environment; RETOUCH_API_KEY is one of them.
 * Any message over the channel is answered with the delay since the one before.
 * Arguments: [URL of the engine's compiled program]
 */
import { monitorEventLoopDelay } from "node:perf_hooks";
import { loadConfig } from "../../src/config/config.ts";
import { createLog } from "../../src/log.ts";
import { startService } from "../../src/service/service.ts";

/** Milliseconds between two looks at the clock; they are part of what a look finds, which is never less. */
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
process.once("SIGTERM", () => void service.close().then(() => process.exit()));
