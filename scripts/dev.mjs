// Runs the service while its sources change: builds after each change of src/, starts the service again, and has the page
// reloaded. Vite serves web/ itself, so that a change of the page needs no build, and passes all other calls on.
// Usage: node scripts/dev.mjs [ARGUMENTS OF retouch serve]
import { spawn } from "node:child_process";
import { once } from "node:events";
import { watch } from "node:fs";
import { fileURLToPath } from "node:url";
import { createServer } from "vite";

const root = fileURLToPath(new URL("..", import.meta.url));
/** Editors write a file in several steps, and a checkout changes many. */
const SETTLE_MS = 100;
/** A service that has not ended by then is killed. */
const END_MS = 10_000;
const SERVED = "^/(?:v1|v2|files|examples|openapi\\.json|healthz|readyz|metrics)(?:[/?]|$)";

/** @type {import("node:child_process").ChildProcess | undefined} */
let service;
/** @type {import("vite").ViteDevServer | undefined} */
let page;
let isEnding = false;

const say = (text) => console.log(`dev: ${text}`);

/** @returns whether the sources compile; what is wrong with them has been printed then */
async function builds() {
  const build =
    "import('./scripts/build.mjs').then(({ build }) => build()).catch((e) => { console.error(e.message); process.exit(1); })";
  const [code] = await once(spawn(process.execPath, ["-e", build], { cwd: root, stdio: "inherit" }), "exit");
  return code === 0;
}

/** Starts the service. @returns what it printed once it listens, undefined where it ended before */
async function start() {
  const child = spawn(process.execPath, ["bin/retouch.js", "serve", ...process.argv.slice(2)], {
    cwd: root,
    stdio: ["ignore", "pipe", "inherit"],
    // Neither a running edit nor a load balancer need be waited for.
    env: { RETOUCH_SHUTDOWN_DEADLINE: "0ms", RETOUCH_DRAIN_DELAY: "0ms", ...process.env },
  });
  service = child;
  const ended = once(child, "exit");
  let welcome = "";
  const listens = new Promise((resolve) => {
    child.stdout.setEncoding("utf8").on("data", (text) => {
      welcome += text;
      if (welcome.includes("Playground: ")) resolve(welcome);
      // The page of the last build is at that address; the one that is worked on is Vite's.
      process.stdout.write(text.replace(/^Playground: /m, "Page of the last build: "));
    });
  });
  void ended.then(([code]) => {
    if (service === child) service = undefined;
    if (!isEnding && code !== 0 && code !== 143)
      say(`the service ended with ${code}; the next change starts it again`);
  });
  return Promise.race([listens, ended.then(() => undefined)]);
}

async function stop() {
  const child = service;
  if (child === undefined) return;
  const ended = once(child, "exit");
  child.kill("SIGTERM");
  const impatience = setTimeout(() => child.kill("SIGKILL"), END_MS);
  await ended;
  clearTimeout(impatience);
}

/** @param welcome what the service printed */
async function servePage(welcome) {
  const target = /^Retouch listens at (https?:\/\/[^/]+)/m.exec(welcome)[1];
  // A new key, which is printed once.
  const key = /#key=\S+$/m.exec(welcome)?.[0] ?? "";
  const listeners = new Set(process.listeners("SIGTERM"));
  const server = await createServer({
    configFile: `${root}web/vite.config.ts`,
    cacheDir: `${root}.cache/vite`,
    server: { proxy: { [SERVED]: { target } } },
    plugins: [
      {
        name: "docs",
        // As the service has it: no ending in the address.
        configureServer: ({ middlewares }) =>
          void middlewares.use((request, _, next) => {
            request.url = request.url?.replace(/^\/(docs|library)(?=\?|$)/, "/$1.html");
            next();
          }),
      },
    ],
  });
  await server.listen();
  // Vite's own would end this process before the service has ended.
  for (const listener of process.listeners("SIGTERM"))
    if (!listeners.has(listener)) process.off("SIGTERM", listener);
  say(`the page is at ${server.resolvedUrls?.local[0]}${key}`);
  return server;
}

let isWorking = false;
let isStale = false;
/** Brings the service up to date, once more where something changed meanwhile. */
async function update() {
  isStale = true;
  if (isWorking) return;
  isWorking = true;
  while (isStale) {
    isStale = false;
    await restart();
  }
  isWorking = false;
}

async function restart() {
  // Where the sources do not compile, the last service that did goes on.
  if (isEnding || !(await builds())) return;
  await stop();
  const welcome = isEnding ? undefined : await start();
  if (welcome === undefined || isEnding) return;
  page ??= await servePage(welcome);
  if (isEnding) return page.close();
  page.ws.send({ type: "full-reload" });
  say("the service is up to date");
}

let timer;
const watcher = watch(`${root}src`, { recursive: true }, () => {
  clearTimeout(timer);
  timer = setTimeout(() => void update(), SETTLE_MS);
});

async function end() {
  if (isEnding) return;
  isEnding = true;
  clearTimeout(timer);
  watcher.close();
  await stop();
  await page?.close();
}
for (const signal of ["SIGINT", "SIGTERM"]) process.on(signal, () => void end());

await update();
