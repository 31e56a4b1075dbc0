/**
 * Builds the image that a Dockerfile describes, without a container engine: each stage in a folder of its own, from what
 * its lines copy and run and from nothing else. The base image is this machine's Node, whichever version that is.
 */
import { execFile } from "node:child_process";
import { copyFile, lstat, mkdir, readFile } from "node:fs/promises";
import path from "node:path";
import { promisify } from "node:util";
import { contextFiles, readDockerIgnore } from "./docker-ignore.ts";
import { type Instruction, parseDockerfile, type Stage } from "./dockerfile.ts";
import { createRoot, type Mount, PATH, startInRoot, type User } from "./sandbox.ts";

export interface Image {
  readonly root: string;
  readonly workdir: string;
  readonly environment: Readonly<Record<string, string>>;
  readonly user: User;
  readonly volumes: readonly string[];
  /** What starts it: ENTRYPOINT and CMD. */
  readonly entrypoint: readonly string[];
  readonly command: readonly string[];
  readonly healthcheck: readonly string[];
}

export interface Finished {
  readonly code: number | null;
  readonly stdout: string;
  readonly stderr: string;
}

/**
 * How a finished stage is copied: as links to its files. Whatever runs after it makes files anew, but for npm's list of
 * what is installed, which is npm's alone.
 */
const SHARED = "-al";
const ROOT: User = { uid: 0, gid: 0 };
const copy = promisify(execFile);

/**
 * @param folder empty; stages come to lie in it
 * @param npmCache npm's own, so that nothing is downloaded twice
 * @throws Error with the line that failed and what it printed
 */
export async function buildImage(source: string, folder: string, npmCache: string): Promise<Image> {
  const { stages } = parseDockerfile(await readFile(path.join(source, "Dockerfile"), "utf8"));
  const context = path.join(folder, "context");
  await copyContext(source, context);
  const built = new Map<string, Image>();
  let last: Image | undefined;
  for (const [index, stage] of stages.entries()) {
    const root = path.join(folder, `stage-${index}`);
    const state = { context, npmCache, built };
    last = await buildStage(stage, root, state);
    if (stage.name) built.set(stage.name, last);
  }
  return last!;
}

interface State {
  readonly context: string;
  readonly npmCache: string;
  readonly built: ReadonlyMap<string, Image>;
}

async function copyContext(source: string, context: string): Promise<void> {
  const isLeftOut = readDockerIgnore(await readFile(path.join(source, ".dockerignore"), "utf8"));
  for (const file of await contextFiles(source, isLeftOut)) {
    const target = path.join(context, file);
    await mkdir(path.dirname(target), { recursive: true });
    await copyFile(path.join(source, file), target);
  }
}

async function buildStage(stage: Stage, root: string, state: State): Promise<Image> {
  let image = await startStage(stage, root, state);
  for (const instruction of stage.instructions) image = await apply(instruction, image, state);
  return image;
}

async function startStage({ from }: Stage, root: string, { built }: State): Promise<Image> {
  const base = built.get(from);
  if (base) {
    await copy("cp", [SHARED, base.root, root]);
    return { ...base, root };
  }
  if (!/^node:\d+-slim$/.test(from)) throw new Error(`The replay has no image ${from}.`);
  await mkdir(root);
  await createRoot(root);
  const nothing = { volumes: [], entrypoint: [], command: ["node"], healthcheck: [] };
  return { root, workdir: "/", environment: { PATH }, user: ROOT, ...nothing };
}

async function apply(instruction: Instruction, image: Image, state: State): Promise<Image> {
  switch (instruction.kind) {
    case "ENV":
      return { ...image, environment: { ...image.environment, ...instruction.variables } };
    case "WORKDIR": {
      const workdir = path.posix.resolve(image.workdir, instruction.value);
      await mkdir(path.join(image.root, workdir), { recursive: true });
      return { ...image, workdir };
    }
    case "USER":
      return { ...image, user: await userOf(image.root, instruction.value) };
    case "VOLUME":
      return { ...image, volumes: [...image.volumes, instruction.value] };
    case "EXPOSE":
      return image;
    case "ENTRYPOINT":
      // As Docker does: a new entry point takes the base image's command away.
      return { ...image, entrypoint: instruction.command, command: [] };
    case "CMD":
      return { ...image, command: instruction.command };
    case "HEALTHCHECK":
      return { ...image, healthcheck: instruction.command };
    case "COPY":
      await copyInto(instruction, image, state);
      return image;
    case "RUN":
      await runLine(instruction.command, image, state.npmCache);
      return image;
  }
}

async function userOf(root: string, name: string): Promise<User> {
  const users = await readFile(path.join(root, "etc", "passwd"), "utf8");
  const [, uid, gid] = new RegExp(`^${name}:[^:]*:(\\d+):(\\d+):`, "m").exec(users) ?? [];
  if (uid === undefined) throw new Error(`The image has no user ${name}.`);
  return { uid: Number(uid), gid: Number(gid) };
}

/** A folder's content goes into the destination, a file to it, or below it where it ends in a slash. */
async function copyInto(
  { from, sources, destination }: Extract<Instruction, { kind: "COPY" }>,
  { root, workdir }: Image,
  { context, built }: State,
): Promise<void> {
  const origin = from === undefined ? context : built.get(from)?.root;
  if (origin === undefined) throw new Error(`COPY names no stage above it: ${from}`);
  const target = path.join(root, path.posix.resolve(workdir, destination));
  if (sources.length > 1 && !destination.endsWith("/")) {
    throw new Error(`COPY of several files needs a folder as its destination, not ${destination}.`);
  }
  for (const source of sources) {
    const file = path.join(origin, source);
    const found = await lstat(file).catch(() => undefined);
    if (found === undefined) throw new Error(`COPY finds no ${source}.`);
    const isFolder = found.isDirectory() || destination.endsWith("/");
    await mkdir(isFolder ? target : path.dirname(target), { recursive: true });
    await copy("cp", [from === undefined ? "-a" : SHARED, found.isDirectory() ? `${file}/.` : file, target]);
  }
}

async function runLine(command: readonly string[], image: Image, npmCache: string): Promise<void> {
  const cache: Mount = { source: npmCache, target: "/root/.npm", isReadOnly: false };
  await mkdir(path.join(image.root, cache.target), { recursive: true });
  const environment = {
    HOME: "/root",
    NPM_CONFIG_PREFER_OFFLINE: "true",
    ...proxies(),
    ...image.environment,
  };
  const { code, stdout, stderr } = await finished(
    startInRoot({ ...image, command, environment, mounts: [cache] }),
  );
  if (code !== 0) throw new Error(`RUN ${command.join(" ")} ended with ${code}:\n${stdout}${stderr}`);
}

/** How this machine reaches npm's registry, where its cache lacks something. */
const proxies = (): Record<string, string> =>
  Object.fromEntries(
    Object.entries(process.env).filter(([name]) =>
      /^(https?_proxy|no_proxy|npm_config_registry)$/i.test(name),
    ),
  ) as Record<string, string>;

/** Waits for the end of a started command. */
export function finished(started: ReturnType<typeof startInRoot>): Promise<Finished> {
  let stdout = "";
  let stderr = "";
  started.stdout!.on("data", (chunk: Buffer) => (stdout += chunk.toString()));
  started.stderr!.on("data", (chunk: Buffer) => (stderr += chunk.toString()));
  return new Promise((resolve, reject) => {
    started.once("error", reject);
    started.once("close", (code) => resolve({ code, stdout, stderr }));
  });
}
