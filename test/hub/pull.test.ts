/** Downloads from a local hub: what is brought, what is refused, and what faults on the way leave behind. */
import { execFile } from "node:child_process";
import { existsSync, readdirSync, readFileSync, readlinkSync } from "node:fs";
import { mkdir, readFile, stat, symlink, utimes, writeFile } from "node:fs/promises";
import path from "node:path";
import { promisify } from "node:util";
import { describe, expect, it } from "vitest";
import { findSnapshot } from "../../src/hub/cache.ts";
import { type Listing, pull, type Pulled, type PullOptions } from "../../src/hub/pull.ts";
import { PIPELINES } from "../../src/pipelines/index.ts";
import { Checkpoint } from "../../src/weights/checkpoint.ts";
import { pythonProgram, withoutPython } from "../../tools/python.ts";
import { COMMIT, cut, type HubServer, refuse, REPOSITORY, serveHub } from "../support/hub-server.ts";
import { refusal } from "../support/refusal.ts";
import { temporaryFolder } from "../support/temporary.ts";

const WEIGHTS = "transformer/diffusion_pytorch_model.safetensors";
const NEEDED = [
  "model_index.json",
  "scheduler/scheduler_config.json",
  "text_encoder/config.json",
  "text_encoder/model.safetensors",
  "text_encoder_2/config.json",
  "text_encoder_2/model.safetensors",
  "tokenizer/merges.txt",
  "tokenizer/special_tokens_map.json",
  "tokenizer/tokenizer_config.json",
  "tokenizer/vocab.json",
  "tokenizer_2/special_tokens_map.json",
  "tokenizer_2/tokenizer.json",
  "tokenizer_2/tokenizer_config.json",
  "transformer/config.json",
  WEIGHTS,
  "vae/config.json",
  "vae/diffusion_pytorch_model.safetensors",
];
const folderOf = (cacheFolder: string): string =>
  path.join(cacheFolder, `models--${REPOSITORY.replace("/", "--")}`);

type Given = Partial<PullOptions> & { revision?: string; name?: string };

async function setUp(): Promise<{
  hub: HubServer;
  cacheFolder: string;
  download: (given?: Given) => Promise<Pulled>;
}> {
  const hub = await serveHub();
  const cacheFolder = path.join(await temporaryFolder(), "hub");
  const download = ({ revision = "main", name = REPOSITORY, ...given }: Given = {}): Promise<Pulled> =>
    pull({
      families: PIPELINES,
      repository: { name, revision },
      endpoint: hub.endpoint,
      cacheFolder,
      token: "hf_secret",
      signal: new AbortController().signal,
      accept: async () => {},
      watch: { onListed() {}, onProgress() {}, onFile() {}, onWait() {} },
      firstPauseMs: 1,
      ...given,
    });
  return { hub, cacheFolder, download };
}

const filesIn = (folder: string): string[] =>
  readdirSync(folder, { recursive: true, withFileTypes: true })
    .filter((entry) => !entry.isDirectory())
    .map((entry) => path.relative(folder, path.join(entry.parentPath, entry.name)).replaceAll("\\", "/"))
    .toSorted();

describe("a download", () => {
  it("brings what an edit needs, in the layout of Hugging Face's cache", async () => {
    const { hub, cacheFolder, download } = await setUp();
    const heard: { listing?: Listing; done: number[]; files: string[] } = { done: [], files: [] };
    const pulled = await download({
      watch: {
        onListed: (listing) => (heard.listing = listing),
        onProgress: (done) => heard.done.push(done),
        onFile: (file) => heard.files.push(file.path),
        onWait() {},
      },
    });
    const folder = folderOf(cacheFolder);
    const snapshot = path.join(folder, "snapshots", COMMIT);
    const total = NEEDED.reduce((sum, file) => sum + hub.files.get(file)!.length, 0);
    expect(pulled).toEqual({
      repository: REPOSITORY,
      revision: "main",
      commit: COMMIT,
      folder: snapshot,
      downloadedBytes: total,
    });
    expect(filesIn(snapshot)).toEqual(NEEDED.toSorted());
    expect(readFileSync(path.join(folder, "refs/main"), "utf8")).toBe(COMMIT);
    for (const file of NEEDED) {
      const place = path.join(snapshot, file);
      const up = "../".repeat(file.split("/").length + 1);
      expect(readlinkSync(place)).toBe(`${up}blobs/${hub.oidOf(file)}`);
      expect(readFileSync(place).equals(hub.files.get(file)!)).toBe(true);
    }
    expect(filesIn(folder).filter((name) => /incomplete|lock|tmp/.test(name))).toEqual([]);
    expect((await Checkpoint.open(snapshot)).folder).toBe(snapshot);
    expect(heard.listing!.files.map((file) => file.path).toSorted()).toEqual(NEEDED.toSorted());
    expect(heard.listing!.totalBytes).toBe(total);
    expect(Math.max(...heard.done)).toBe(total);
    expect(heard.files.length).toBeGreaterThan(10);
  });

  it("gives the token to the hub and to no other host", async () => {
    const { hub, download } = await setUp();
    await download();
    expect(hub.forBytes().length).toBe(4);
    for (const { host, authorization } of hub.asked) {
      expect(authorization).toBe(host === "hub" ? "Bearer hf_secret" : undefined);
    }
  });

  it("asks nothing of the licence and downloads nothing a second time", async () => {
    const { hub, download } = await setUp();
    await download();
    const before = hub.asked.length;
    const again = await download({ accept: () => Promise.reject(new Error("asked")) });
    expect(again.downloadedBytes).toBe(0);
    expect(hub.asked.slice(before).every(({ path: asked }) => asked.startsWith("/api/"))).toBe(true);
  });

  it("asks for the licence with its name and link before anything comes", async () => {
    const { hub, cacheFolder, download } = await setUp();
    const licences: unknown[] = [];
    const no = new Error("no");
    const accept: PullOptions["accept"] = async (licence) => {
      licences.push(licence);
      throw no;
    };
    await expect(download({ accept })).rejects.toBe(no);
    expect(licences).toEqual([
      {
        name: "flux-1-dev-non-commercial-license",
        link: `${hub.endpoint}/${REPOSITORY}/blob/main/LICENSE.md`,
        isAsked: true,
      },
    ]);
    expect(existsSync(cacheFolder)).toBe(false);
  });
});

describe("a connection that fails", () => {
  it("is resumed where it was cut, as often as it gets further", async () => {
    const { hub, download } = await setUp();
    const size = hub.files.get(WEIGHTS)!.length;
    const step = Math.ceil(size / 8);
    hub.fault = (asked, response, bytes) => {
      if (asked.host !== "cdn" || asked.path !== WEIGHTS) return undefined;
      const from = Number(/\d+/.exec(asked.range ?? "0")![0]);
      return from + step < size ? cut(response, bytes!, from, from + step) : undefined;
    };
    const { folder } = await download();
    expect(readFileSync(path.join(folder, WEIGHTS)).equals(hub.files.get(WEIGHTS)!)).toBe(true);
    const ranges = hub
      .forBytes()
      .filter((asked) => asked.path === WEIGHTS)
      .map(({ range }) => range);
    expect(ranges).toEqual([
      undefined,
      ...Array.from({ length: 7 }, (_, index) => `bytes=${(index + 1) * step}-`),
    ]);
  });

  it("begins again where the server ignores the range", async () => {
    const { hub, download } = await setUp();
    let isFirst = true;
    hub.fault = (asked, response, bytes) => {
      if (asked.host !== "cdn" || asked.path !== WEIGHTS) return undefined;
      if (isFirst) {
        isFirst = false;
        return cut(response, bytes!, 0, 1000);
      }
      response.writeHead(200, { "content-length": bytes!.length }).end(bytes);
      return true;
    };
    const { folder } = await download();
    expect(readFileSync(path.join(folder, WEIGHTS)).equals(hub.files.get(WEIGHTS)!)).toBe(true);
  });

  it("ends in one sentence where it gets no further, and keeps what has come", async () => {
    const { hub, cacheFolder, download } = await setUp();
    hub.fault = (asked, response, bytes) => {
      if (asked.path !== WEIGHTS || asked.host !== "cdn") return undefined;
      return asked.range === undefined ? cut(response, bytes!, 0, 1000) : (response.destroy(), true);
    };
    await expect(download()).rejects.toEqual(
      refusal("HUB_UNAVAILABLE", `${hub.endpoint} cannot be used: the host ended the connection.`),
    );
    const blob = path.join(folderOf(cacheFolder), "blobs", hub.oidOf(WEIGHTS));
    expect((await stat(`${blob}.incomplete`)).size).toBe(1000);
    hub.fault = undefined;
    await download();
    expect(hub.forBytes().at(-1)).toMatchObject({ path: WEIGHTS, range: "bytes=1000-" });
  });

  it("waits as long as the hub asks for, and tries again after a status above 500", async () => {
    const { hub, download } = await setUp();
    const times: number[] = [];
    hub.fault = (asked, response) => {
      if (asked.path !== "vae/config.json") return undefined;
      times.push(Date.now());
      if (times.length === 1) return refuse(response, 429, { "retry-after": "1" });
      return times.length === 2 ? refuse(response, 503) : undefined;
    };
    await download();
    expect(times.length).toBe(3);
    expect(times[1]! - times[0]!).toBeGreaterThanOrEqual(950);
  });

  it("gives up in one sentence where the hub asks for more than minutes, or stays ill", async () => {
    const { hub, download } = await setUp();
    hub.fault = (_, response) => refuse(response, 429, { "retry-after": "3600" });
    await expect(download()).rejects.toEqual(
      refusal(
        "HUB_UNAVAILABLE",
        `${hub.endpoint} answers that there are too many requests; run the command again in 60 min.`,
      ),
    );
    expect(hub.asked.length).toBe(1);
    hub.fault = (_, response) => refuse(response, 502);
    await expect(download()).rejects.toEqual(
      refusal("HUB_UNAVAILABLE", `${hub.endpoint} answers with status 502; run the command again later.`),
    );
    expect(hub.asked.length).toBe(6);
    await expect(download({ endpoint: "http://127.0.0.1:1" })).rejects.toEqual(
      refusal("HUB_UNAVAILABLE", /^http:\/\/127\.0\.0\.1:1 cannot be used: /),
    );
  });
});

describe("wrong bytes", () => {
  const damage = (hub: HubServer, times: number): void => {
    hub.fault = (asked, response, bytes) => {
      if (asked.host !== "cdn" || asked.path !== WEIGHTS || times === 0) return undefined;
      times -= 1;
      const wrong = Buffer.from(bytes!);
      wrong[100]! ^= 1;
      response.writeHead(200, { "content-length": wrong.length }).end(wrong);
      return true;
    };
  };

  it("are asked for once more", async () => {
    const { hub, download } = await setUp();
    damage(hub, 1);
    const { folder } = await download();
    expect(readFileSync(path.join(folder, WEIGHTS)).equals(hub.files.get(WEIGHTS)!)).toBe(true);
  });

  it("get no name, and end in one sentence, when they come twice", async () => {
    const { hub, cacheFolder, download } = await setUp();
    damage(hub, 2);
    await expect(download()).rejects.toEqual(
      refusal(
        "HUB_UNAVAILABLE",
        `${WEIGHTS} came with other bytes than the hub lists, twice; nothing of it was kept.`,
      ),
    );
    const folder = folderOf(cacheFolder);
    expect(filesIn(folder).filter((name) => name.includes(hub.oidOf(WEIGHTS)))).toEqual([]);
    expect(existsSync(path.join(folder, "refs/main"))).toBe(false);
    expect(existsSync(path.join(folder, "snapshots", COMMIT, WEIGHTS))).toBe(false);
  });
});

describe("a refusal of the hub is one sentence", () => {
  const page = (hub: HubServer): string => `${hub.endpoint}/${REPOSITORY}`;

  it("for a licence that was not accepted", async () => {
    const { hub, download } = await setUp();
    const isBytes = (name: string): boolean => name === "model_index.json";
    hub.fault = (asked, response) =>
      isBytes(asked.path)
        ? refuse(response, asked.authorization ? 403 : 401, { "x-error-code": "GatedRepo" })
        : undefined;
    await expect(download()).rejects.toEqual(
      refusal(
        "HUB_REFUSED",
        `${REPOSITORY} is gated: accept its licence at ${page(hub)} with the account of your token, which must be allowed to read gated repositories.`,
      ),
    );
    await expect(download({ token: undefined })).rejects.toEqual(
      refusal(
        "HUB_REFUSED",
        `${REPOSITORY} is gated: accept its licence at ${page(hub)}, logged in, and give a token of that account in HF_TOKEN.`,
      ),
    );
  });

  it("for no token or a wrong one", async () => {
    const { hub, download } = await setUp();
    hub.fault = (_, response) => refuse(response, 401);
    await expect(download({ token: undefined })).rejects.toEqual(
      refusal(
        "HUB_REFUSED",
        `${REPOSITORY} does not exist or asks for a token: see ${page(hub)}, and give one in HF_TOKEN.`,
      ),
    );
    await expect(download()).rejects.toEqual(
      refusal(
        "HUB_REFUSED",
        `${REPOSITORY} does not exist, or your token does not count: see ${page(hub)} and ${hub.endpoint}/settings/tokens.`,
      ),
    );
  });

  it("for a repository or a revision that is not there", async () => {
    const { hub, download } = await setUp();
    await expect(download({ revision: "v9" })).rejects.toEqual(
      refusal("HUB_REFUSED", `${REPOSITORY} has no revision "v9"; ${page(hub)} shows which there are.`),
    );
    await expect(download({ name: "nobody/nothing" })).rejects.toEqual(
      refusal("HUB_REFUSED", `There is no nobody/nothing to be seen at ${hub.endpoint}/nobody/nothing.`),
    );
  });
});

describe("what the hub says is not trusted", () => {
  it.each([
    "../outside.json",
    "vae/../../outside.json",
    "/etc/passwd",
    "vae\\..\\x.json",
    "C:/x.json",
    "a\0b",
  ])("a file named %j is refused, and all others with it", async (name) => {
    const { hub, cacheFolder, download } = await setUp();
    hub.changeListing = (entries) => [...entries, { type: "file", path: name, size: 1, oid: "a".repeat(40) }];
    await expect(download()).rejects.toEqual(
      refusal(
        "HUB_UNAVAILABLE",
        `${REPOSITORY} lists ${JSON.stringify(name)}, which would leave its folder; nothing was downloaded.`,
      ),
    );
    expect(existsSync(cacheFolder)).toBe(false);
  });

  it("a hash that is none would be a path", async () => {
    const { hub, download } = await setUp();
    hub.changeListing = (entries) =>
      entries.map((entry) => (entry["path"] === "vae/config.json" ? { ...entry, oid: "../../x" } : entry));
    await expect(download()).rejects.toEqual(
      refusal("HUB_UNAVAILABLE", `What the hub says about ${REPOSITORY} cannot be read.`),
    );
  });

  it.each(["file:///etc/passwd", "//"])("a redirect to %s is not followed", async (location) => {
    const { hub, download } = await setUp();
    hub.fault = (asked, response) =>
      asked.path === "vae/config.json" ? refuse(response, 302, { location }) : undefined;
    await expect(download()).rejects.toEqual(
      refusal("HUB_UNAVAILABLE", `${hub.endpoint} redirects to an address that is not followed.`),
    );
  });

  it("a failure ends a download that has stalled beside it", async () => {
    const { hub, download } = await setUp();
    let stalled = (): void => {};
    const isStalled = new Promise<void>((resolve) => (stalled = resolve));
    hub.fault = (asked, response, bytes) => {
      if (asked.path === "scheduler/scheduler_config.json") {
        response.writeHead(200, { "content-length": bytes!.length });
        response.write(bytes!.subarray(0, 10), stalled);
        return true;
      }
      if (asked.path !== "vae/config.json") return undefined;
      // What the platform remembers of the other call is forgotten by then.
      void isStalled.then(() => setTimeout(() => refuse(response, 404), 500));
      return true;
    };
    await expect(download()).rejects.toMatchObject({ code: "HUB_REFUSED" });
  });

  it("another pipeline is refused before it is downloaded", async () => {
    const { hub, cacheFolder, download } = await setUp();
    hub.files.set("model_index.json", Buffer.from('{"_class_name":"FluxPipeline"}'));
    await expect(download()).rejects.toEqual(
      refusal(
        "CHECKPOINT_UNSUPPORTED",
        `${REPOSITORY} is a "FluxPipeline"; a FluxKontextPipeline, a Flux2KleinPipeline or a Flux2KleinKVPipeline is wanted.`,
      ),
    );
    expect(existsSync(cacheFolder)).toBe(false);
  });
});

describe("the names that the user gives", () => {
  it.each(["flux", "a/b/c", "../x", "a/..", "a--b/c", "a/b..c", "/a", "a/"])(
    "%j is no repository",
    async (name) => {
      const { hub, download } = await setUp();
      await expect(download({ name })).rejects.toEqual(
        refusal("INVALID_PARAMETER", /^<repo> must be the name/),
      );
      expect(hub.asked).toEqual([]);
    },
  );

  it.each(["../main", "", "a//b"])("%j is no revision", async (revision) => {
    const { download } = await setUp();
    await expect(download({ revision })).rejects.toEqual(refusal("INVALID_PARAMETER", /^--revision must be/));
  });
});

describe("the disk", () => {
  it("is asked for its room first", async () => {
    const { hub, cacheFolder, download } = await setUp();
    await expect(download({ freeBytes: async () => 5000 })).rejects.toEqual(
      refusal(
        "OUTPUT_UNWRITABLE",
        /^[\d.]+ kB are to be downloaded, and the disk of .* has room for 5\.0 kB; /,
      ),
    );
    expect(existsSync(cacheFolder)).toBe(false);
    expect(hub.forBytes()).toEqual([]);
  });

  it("may be full in the middle", async (context) => {
    if (!existsSync("/dev/full")) return context.skip("another operating system: this one has no /dev/full");
    const { hub, cacheFolder, download } = await setUp();
    const blobs = path.join(folderOf(cacheFolder), "blobs");
    await mkdir(blobs, { recursive: true });
    // Whatever is written there finds no room.
    await symlink("/dev/full", path.join(blobs, `${hub.oidOf(WEIGHTS)}.incomplete`));
    await expect(download()).rejects.toEqual(
      refusal(
        "OUTPUT_UNWRITABLE",
        `The disk of ${cacheFolder} is full; make room and run the command again, which goes on from here.`,
      ),
    );
  });
});

describe("an interruption", () => {
  it("leaves what the next run goes on with", async () => {
    const { hub, cacheFolder, download } = await setUp();
    const interruption = new AbortController();
    hub.fault = (asked, response, bytes) => {
      if (asked.host !== "cdn" || asked.path !== WEIGHTS) return undefined;
      response.writeHead(200, { "content-length": bytes!.length });
      response.write(bytes!.subarray(0, 2000));
      setTimeout(() => interruption.abort(), 300);
      return true;
    };
    await expect(download({ signal: interruption.signal })).rejects.toEqual(
      refusal("ABORTED", "The download was interrupted."),
    );
    const blob = path.join(folderOf(cacheFolder), "blobs", hub.oidOf(WEIGHTS));
    expect((await stat(`${blob}.incomplete`)).size).toBe(2000);
    hub.fault = undefined;
    const { downloadedBytes } = await download();
    const ranges = hub
      .forBytes()
      .filter((asked) => asked.path === WEIGHTS)
      .map(({ range }) => range);
    expect(ranges).toEqual([undefined, "bytes=2000-"]);
    expect(downloadedBytes).toBeLessThanOrEqual(hub.files.get(WEIGHTS)!.length * 4 - 2000);
    expect((await readFile(blob)).equals(hub.files.get(WEIGHTS)!)).toBe(true);
  });

  it("of another process leaves a lock that counts for seconds only", async () => {
    const { cacheFolder, download } = await setUp();
    const folder = folderOf(cacheFolder);
    await mkdir(folder, { recursive: true });
    const lock = path.join(folder, ".retouch-pull.lock");
    await writeFile(lock, "1");
    const longAgo = new Date(Date.now() - 60_000);
    await utimes(lock, longAgo, longAgo);
    await download();
    expect(existsSync(lock)).toBe(false);
  });

  it("two at once download every file once", async () => {
    const { hub, download } = await setUp();
    const [one, other] = await Promise.all([download(), download()]);
    expect(one.folder).toBe(other.folder);
    expect(hub.forBytes().length).toBe(4);
  });
});

describe("offline", () => {
  it("uses what is there, and asks nothing", async () => {
    const { hub, download } = await setUp();
    const { folder } = await download();
    const before = hub.asked.length;
    expect(await download({ isOffline: true })).toMatchObject({ folder, commit: COMMIT, downloadedBytes: 0 });
    expect(hub.asked.length).toBe(before);
  });

  it("refuses to download in one sentence", async () => {
    const { hub, cacheFolder, download } = await setUp();
    await expect(download({ isOffline: true })).rejects.toEqual(
      refusal(
        "CHECKPOINT_MISSING",
        `HF_HUB_OFFLINE is set, and ${cacheFolder} has no whole ${REPOSITORY} at main; unset it to download.`,
      ),
    );
    expect(hub.asked).toEqual([]);
  });
});

const run = promisify(execFile);
describe("Python's huggingface_hub", () => {
  // Both environments bring it.
  const environments = ["clients", "reference"] as const;
  const ready = environments.find((name) => withoutPython(name) === undefined);
  const python = ready && pythonProgram(ready);
  const inPython = async (program: string, environment: Record<string, string>): Promise<string> => {
    const env = { ...process.env, HF_HUB_DISABLE_TELEMETRY: "1", HF_HUB_DISABLE_XET: "1", ...environment };
    return (await run(python!, ["-c", program], { env })).stdout.trim();
  };

  it("finds what was downloaded here, without asking anybody", async ({ skip }) => {
    skip(python === undefined, withoutPython("clients"));
    const { cacheFolder, download } = await setUp();
    const { folder } = await download();
    const program = `from huggingface_hub import snapshot_download, hf_hub_download
print(snapshot_download(${JSON.stringify(REPOSITORY)}, local_files_only=True))
print(hf_hub_download(${JSON.stringify(REPOSITORY)}, ${JSON.stringify(WEIGHTS)}, local_files_only=True))`;
    const found = await inPython(program, { HF_HUB_CACHE: cacheFolder, HF_HUB_OFFLINE: "1" });
    expect(found.split("\n")).toEqual([folder, path.join(folder, WEIGHTS)]);
  });

  it("leaves what is used here without a request for its bytes", async ({ skip }) => {
    skip(python === undefined, withoutPython("clients"));
    const { hub, cacheFolder, download } = await setUp();
    const program = `from huggingface_hub import snapshot_download
print(snapshot_download(${JSON.stringify(REPOSITORY)}))`;
    const folder = await inPython(program, { HF_HUB_CACHE: cacheFolder, HF_ENDPOINT: hub.endpoint });
    const before = hub.asked.length;
    expect(before).toBeGreaterThan(0);
    expect(await download()).toMatchObject({ folder, downloadedBytes: 0 });
    expect(hub.asked.slice(before).every(({ path: asked }) => asked.startsWith("/api/"))).toBe(true);
    expect(await findSnapshot(cacheFolder, { name: REPOSITORY, revision: "main" })).toBe(folder);
  });
});
