/** What comes from outside: receivers that misbehave, clients that are slow, and an operator who restarts one by one. */
import { once } from "node:events";
import { connect, type Socket } from "node:net";
import { ENDPOINT } from "../calls.ts";
import { type FaultKind, type Scene, SHAPES } from "./kind.ts";

export const CLIENTS: readonly FaultKind[] = [
  {
    name: "webhook-receivers",
    what: "receivers that hang, reset, answer 500, or recover at the last try, beside good ones; half of the rounds kill the server, too",
    drawShape: (random) => random.pick([SHAPES.embedded, SHAPES.scaled, SHAPES.large]),
    receivers: ["healthy", "hangs", "resets", "error", "recovers"],
    async strike({ arrangement, random, wait, note }) {
      await wait(random.between(1500, 3500));
      if (random.chance(0.5)) return;
      note("kills server-1");
      arrangement.servers[0]!.kill();
      await wait(1000);
    },
  },
  {
    name: "rolling-restart",
    what: "SIGTERM of one of two servers, its restart, then the other; every call has to be answered",
    drawShape: () => ({ ...SHAPES.scaled, servers: 2 }),
    isBalanced: true,
    // The service goes on taking calls until load balancers have noticed; these look every tenth of a second.
    settings: () => ({ RETOUCH_DRAIN_DELAY: "3s" }),
    async strike({ arrangement, random, wait, note, problem, signal }) {
      for (const server of random.shuffled(arrangement.servers)) {
        await wait(random.between(300, 1500));
        note(`restarts ${server.name}`);
        const code = await server.stop(20_000);
        if (code !== 0) problem("a server that does not end when asked", `${server.name}: ${code}`);
        server.start();
        await server.untilReady(20_000, signal);
      }
    },
  },
  {
    name: "restart-all",
    what: "SIGTERM of everything under load, and its start",
    drawShape: (random) => random.pick([SHAPES.embedded, SHAPES.scaled, SHAPES.folder]),
    async strike({ arrangement, random, wait, note, problem, signal }) {
      await wait(random.between(300, 2000));
      note("restarts everything");
      const codes = await Promise.all(arrangement.units.map((unit) => unit.stop(20_000)));
      for (const [at, code] of codes.entries()) {
        if (code !== 0)
          problem("a program that does not end when asked", `${arrangement.units[at]!.name}: ${code}`);
      }
      for (const unit of arrangement.units) unit.start();
      await arrangement.servers[0]!.untilReady(20_000, signal);
    },
  },
  {
    name: "slow-clients",
    what: "clients that stop in the middle of a call, send byte by byte, do not read, or close their half after the body",
    drawShape: (random) => random.pick([SHAPES.embedded, SHAPES.scaled]),
    strike: slowClients,
  },
  {
    name: "race",
    what: "two servers and three workers on one database and one bucket; half of the rounds kill one of them",
    drawShape: () => SHAPES.large,
    async strike({ arrangement, random, wait, note }) {
      await wait(random.between(1500, 3500));
      if (random.chance(0.5)) return;
      const unit = random.pick(arrangement.units);
      note(`kills ${unit.name}`);
      unit.kill();
    },
  },
];

async function slowClients({ arrangement, random, wait, keys, problem, note }: Scene): Promise<void> {
  const url = new URL(arrangement.servers[0]!.address!);
  const open: Socket[] = [];
  const dial = async (): Promise<Socket> => {
    const socket = connect({ port: Number(url.port), host: url.hostname, allowHalfOpen: true });
    socket.on("error", () => {});
    open.push(socket);
    await once(socket, "connect");
    return socket;
  };
  const call = (route: string, body: string, length = Buffer.byteLength(body)): string =>
    `POST /v2/${ENDPOINT}${route} HTTP/1.1\r\nHost: ${url.host}\r\nAuthorization: Bearer ${keys[0]}\r\n` +
    `Content-Type: application/json\r\nContent-Length: ${length}\r\n\r\n${body}`;
  const count = random.integer(5, 30);
  note(`${count} slow clients of each kind`);
  for (let at = 0; at < count; at += 1) {
    // Half a header, half a body, and one that never reads its answers.
    (await dial()).write("POST /v2/");
    (await dial()).write(call("/run", '{"input":{"prompt":"', 100_000));
    const deaf = await dial();
    deaf.pause();
    for (let calls = 0; calls < 20; calls += 1) deaf.write(call("/requests?limit=100", ""));
  }
  const drip = await dial();
  const slow = call("/status/none", "{}");
  const dripping = setInterval(() => drip.write(slow[drip.bytesWritten] ?? ""), 20);
  // Each closes its half, as some programs do when they have said all.
  for (let at = 0; at < 10; at += 1) {
    const socket = await dial();
    const answer = new Promise<string>((resolve) => {
      let text = "";
      socket.on("data", (chunk: Buffer) => (text += chunk.toString()));
      socket.once("close", () => resolve(text));
      socket.once("end", () => resolve(text));
    });
    socket.end(call("/status/none", "{}"));
    const text = await Promise.race([answer, wait(10_000).then(() => "")]);
    if (!text.startsWith("HTTP/1.1 404"))
      problem("a half-closed call without its answer", text.slice(0, 200));
  }
  await wait(random.between(500, 3000));
  clearInterval(dripping);
  for (const socket of open) socket.destroy();
}
