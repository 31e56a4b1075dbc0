/** Programs that stand still for longer than a lease, and go on as if nothing had been. */
import { type FaultKind, PAST_LEASE_MS, SHAPES } from "./kind.ts";

export const PAUSES: readonly FaultKind[] = [
  {
    name: "pause-worker",
    what: "SIGSTOP of a worker and its engine process past the lease, then SIGCONT",
    drawShape: (random) => random.pick([SHAPES.scaled, SHAPES.large]),
    async strike({ arrangement, random, wait }) {
      const worker = random.pick(arrangement.workers);
      worker.signalTree("SIGSTOP");
      await wait(random.between(...PAST_LEASE_MS));
      worker.signalTree("SIGCONT");
    },
  },
  {
    name: "pause-server",
    what: "SIGSTOP of a server past the lease, with its workers and webhooks where it has any",
    drawShape: (random) => random.pick([SHAPES.embedded, SHAPES.folder, SHAPES.large]),
    async strike({ arrangement, random, wait }) {
      const server = random.pick(arrangement.servers);
      server.signalTree("SIGSTOP");
      await wait(random.between(...PAST_LEASE_MS));
      server.signalTree("SIGCONT");
    },
  },
  {
    name: "pause-database",
    what: "SIGSTOP of PostgreSQL past the lease, then SIGCONT",
    drawShape: () => SHAPES.ownDatabase,
    async strike({ arrangement, random, wait, note }) {
      note("stops PostgreSQL");
      arrangement.cluster!.signal("SIGSTOP");
      await wait(random.between(...PAST_LEASE_MS));
      arrangement.cluster!.signal("SIGCONT");
      note("PostgreSQL goes on");
    },
  },
];
