/**
 * Starts `retouch serve`, edits a picture over HTTP, leaves the service alone for a while and ends it.
 * Arguments: the command's file, a picture, and for how many milliseconds it is left alone. Prints the job's status.
 */
import { spawn } from "node:child_process";
import { once } from "node:events";
import { readFileSync } from "node:fs";
import { setTimeout as sleep } from "node:timers/promises";

const [program, picture, idleMs] = process.argv.slice(2);

const service = spawn(process.execPath, [program, "serve"], { stdio: ["ignore", "pipe", "inherit"] });
let welcome = "";
for await (const chunk of service.stdout) {
  welcome += chunk;
  if (welcome.includes("Playground: ")) break;
}
const [, endpoint] = /^Retouch listens at (\S+)$/m.exec(welcome);
const [, key] = /^API key: (\S+)$/m.exec(welcome);
const image = `data:image/png;base64,${readFileSync(picture).toString("base64")}`;
const response = await fetch(`${endpoint}/runsync`, {
  method: "POST",
  headers: { authorization: `Bearer ${key}`, "content-type": "application/json" },
  body: JSON.stringify({ input: { prompt: "Make it night", image, num_inference_steps: 2 } }),
});
const { status } = await response.json();
await sleep(Number(idleMs));
service.kill("SIGTERM");
const [code] = await once(service, "exit");
console.log(status, code);
