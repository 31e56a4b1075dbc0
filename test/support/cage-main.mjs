/**
 * Runs one program where nothing can be reached: inside a network and mount namespace of its own (`unshare -mn`), with a
 * resolver that knows no name and remembers which were asked for. Prints a JSON line, which `cage.ts` describes.
 * Arguments: the program's folder, environment and command, as one JSON object.
 */
import { spawn, spawnSync } from "node:child_process";
import { createSocket } from "node:dgram";
import { once } from "node:events";
import { mkdtempSync, readFileSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import path from "node:path";

const NAME_OFFSET = 12;
const NO_SUCH_NAME = 3;

/** `ip` is not everywhere; what it does is one call of the kernel. */
const INTERFACE_UP = `
import fcntl, socket, struct
fcntl.ioctl(socket.socket(), 0x8914, struct.pack("16sh14x", b"lo", 0x41))`;

const { cwd, env, command } = JSON.parse(process.argv[2]);

const own = mkdtempSync(path.join(tmpdir(), "retouch-cage-"));
if (spawnSync("ip", ["link", "set", "lo", "up"]).status !== 0) must("python3", ["-c", INTERFACE_UP]);
// No service of the system answers for the resolver, which would have a network of its own.
replace("/etc/resolv.conf", "nameserver 127.0.0.1\noptions timeout:1 attempts:1\n");
replace("/etc/nsswitch.conf", "hosts: files dns\npasswd: files\ngroup: files\n");

const lookUps = [];
const resolver = createSocket("udp4");
resolver.on("message", (question, { port, address }) => {
  lookUps.push(nameIn(question));
  const answer = Buffer.from(question);
  answer.writeUInt16BE(0x8180 | NO_SUCH_NAME, 2);
  resolver.send(answer, port, address);
});
resolver.bind(53, "127.0.0.1");
await once(resolver, "listening");

const before = unroutable();
const child = spawn(command[0], command.slice(1), { cwd, env, stdio: ["ignore", "pipe", "pipe"] });
let [stdout, stderr] = ["", ""];
child.stdout.on("data", (chunk) => (stdout += chunk));
child.stderr.on("data", (chunk) => (stderr += chunk));
const [code] = await once(child, "close");
resolver.close();
rmSync(own, { recursive: true });
const attempts = unroutable() - before;
process.stdout.write(
  `${JSON.stringify({ code, stdout, stderr, lookUps: [...new Set(lookUps)], attempts })}\n`,
);

function must(program, args) {
  const done = spawnSync(program, args, { encoding: "utf8" });
  if (done.status !== 0) throw new Error(`${program} ${args.join(" ")}: ${done.stderr ?? done.error}`);
}

function replace(file, text) {
  const other = path.join(own, path.basename(file));
  writeFileSync(other, text);
  must("mount", ["--bind", other, file]);
}

/** The first name of a question: labels, each after its length. */
function nameIn(question) {
  const labels = [];
  for (let at = NAME_OFFSET; question[at] > 0; at += question[at] + 1) {
    labels.push(question.toString("latin1", at + 1, at + 1 + question[at]));
  }
  return labels.join(".");
}

/** How often this network was asked for an address that it has no way to. */
function unroutable() {
  const [names, values] = readFileSync("/proc/self/net/snmp", "utf8")
    .split("\n")
    .filter((line) => line.startsWith("Ip: "))
    .map((line) => line.split(" "));
  const [, six] = /^Ip6OutNoRoutes\s+(\d+)/m.exec(readFileSync("/proc/self/net/snmp6", "utf8")) ?? [];
  return Number(values[names.indexOf("OutNoRoutes")]) + Number(six ?? 0);
}
