/** What a service takes of the processor that nobody calls: whatever wakes it up without need shows here. */
import { atMost, type Goal } from "../../tools/goals.ts";
import { rounded } from "../../tools/statistics.ts";
import { SERVE } from "../../tools/server.ts";
import { DATABASES, missing } from "./databases.ts";
import { measureIdleCpu } from "./footprint.ts";
import type { PartOptions, PartReport } from "./part.ts";

/** Of one core. */
const WANTED = 0.01;

export async function measureIdle({ signal, say }: PartOptions): Promise<PartReport> {
  const measured: Record<string, object> = {};
  const goals: Goal[] = [];
  for (const name of DATABASES) {
    const problem = missing(name);
    if (problem !== undefined) {
      measured[name] = { error: problem };
      continue;
    }
    say(`a minute without calls on ${name}`);
    const shareOfCore = rounded(await measureIdleCpu(SERVE, signal, name));
    measured[name] = { shareOfCore };
    goals.push(atMost(`share of a core that an idle service takes on ${name}`, shareOfCore, WANTED));
  }
  return { measured, goals };
}
