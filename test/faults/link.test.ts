/** Ways that are cut, refused, silent and slow, to a server that answers what it gets. */
import { once } from "node:events";
import { type AddressInfo, connect, createServer, type Socket } from "node:net";
import { setTimeout as delay } from "node:timers/promises";
import { beforeEach, expect, it, onTestFinished } from "vitest";
import { type Link, openLink } from "../../tools/link.ts";

let link: Link;
/** What has arrived at the server. */
let said = "";
beforeEach(async () => {
  said = "";
  const server = createServer((socket) => {
    socket.on("error", () => {});
    socket.on("data", (chunk: Buffer) => (said += chunk.toString())).pipe(socket);
  }).listen(0, "127.0.0.1");
  await once(server, "listening");
  link = await openLink(`tcp://127.0.0.1:${(server.address() as AddressInfo).port}`);
  onTestFinished(async () => {
    await link.close();
    server.close();
  });
});

function newSocket(): Socket {
  const socket = connect(Number(new URL(link.url).port), "127.0.0.1");
  socket.on("error", () => {});
  onTestFinished(() => void socket.destroy());
  return socket;
}

async function dial(): Promise<Socket> {
  const socket = newSocket();
  await once(socket, "connect");
  return socket;
}

/** `once` takes the reset for a failure of its own. */
const closeOf = (socket: Socket): Promise<void> =>
  new Promise((resolve) => socket.once("close", () => resolve()));

async function echo(socket: Socket, text: string): Promise<string> {
  socket.write(text);
  let got = "";
  while (got.length < text.length) got += String(((await once(socket, "data")) as [Buffer])[0]);
  return got;
}

it("passes everything on, both ways", async () => {
  const text = "x".repeat(200_000);
  expect(await echo(await dial(), text)).toBe(text);
});

it("resets what is open and what comes while it is cut, and passes on again afterwards", async () => {
  const socket = await dial();
  await echo(socket, "hello");
  const closed = closeOf(socket);
  await link.set({ kind: "cut" });
  await closed;
  await closeOf(newSocket());
  await link.set({ kind: "up" });
  expect(await echo(await dial(), "again")).toBe("again");
});

it("refuses as a target that is not running, and is at the same address when it is back", async () => {
  const socket = await dial();
  await echo(socket, "hello");
  const closed = closeOf(socket);
  await link.set({ kind: "refused" });
  await closed;
  await expect(dial()).rejects.toMatchObject({ code: "ECONNREFUSED" });
  await link.set({ kind: "up" });
  expect(await echo(await dial(), "again")).toBe("again");
});

it("loses every byte of a silent time without a sign, and the connections of that time for good", async () => {
  const [old, heard] = [await dial(), [] as Buffer[]];
  await echo(old, "hello");
  await link.set({ kind: "silent", loses: "everything" });
  const late = await dial();
  for (const socket of [old, late]) socket.on("data", (chunk: Buffer) => heard.push(chunk)).write("lost");
  await delay(50);
  await link.set({ kind: "up" });
  for (const socket of [old, late]) socket.write("lost as well");
  // What a later connection is told shows that the earlier ones would have been, too.
  expect(await echo(await dial(), "again")).toBe("again");
  expect(heard).toEqual([]);
  expect([old.destroyed, late.destroyed]).toEqual([false, false]);
});

it("can lose the answers alone: what was said has arrived", async () => {
  const socket = await dial();
  await echo(socket, "hello");
  await link.set({ kind: "silent", loses: "answers" });
  const heard: Buffer[] = [];
  socket.on("data", (chunk: Buffer) => heard.push(chunk)).write("are you there?");
  await expect.poll(() => said).toBe("helloare you there?");
  await link.set({ kind: "up" });
  expect(await echo(await dial(), "again")).toBe("again");
  expect(heard).toEqual([]);
});

it("delays what is slow, in order", async () => {
  const socket = await dial();
  await link.set({ kind: "slow", delayMs: 20 });
  const text = Array.from({ length: 20_000 }, (_, at) => String(at % 10)).join("");
  const began = performance.now();
  expect(await echo(socket, text)).toBe(text);
  expect(performance.now() - began).toBeGreaterThan(40);
});
