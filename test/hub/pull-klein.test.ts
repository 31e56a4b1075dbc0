/** A repository in the layout of FLUX.2 [klein]: its text encoder in shards, its chat template, its licence. */
import { cp, readdir, readFile, rm, writeFile } from "node:fs/promises";
import path from "node:path";
import { describe, expect, it } from "vitest";
import type { Licence } from "../../src/hub/listing.ts";
import { pull, type PullOptions } from "../../src/hub/pull.ts";
import { parametersOf, readModelPlan } from "../../src/engine/forecast.ts";
import { PIPELINES } from "../../src/pipelines/index.ts";
import { fixtures } from "../support/fixtures.ts";
import { COMMIT, type HubServer, refuse, serveHub } from "../support/hub-server.ts";
import { refusal } from "../support/refusal.ts";
import { readStored, writeSafetensors } from "../support/safetensors.ts";
import { temporaryFolder } from "../support/temporary.ts";

const REPOSITORY = "black-forest-labs/FLUX.2-klein-4B";
const PLAIN = path.join(fixtures, "klein", "checkpoints", "plain");
const SHARDS = [1, 2].map((index) => `model-0000${index}-of-00002.safetensors`);

/** The tiny checkpoint, its text encoder cut into two files and an index. */
async function shardedFolder(): Promise<string> {
  const folder = path.join(await temporaryFolder(), "klein");
  await cp(PLAIN, folder, { recursive: true });
  const textEncoder = path.join(folder, "text_encoder");
  const tensors = Object.entries(await readStored(path.join(textEncoder, "model.safetensors")));
  const weightMap: Record<string, string> = {};
  for (const [index, shard] of SHARDS.entries()) {
    const held = tensors.filter((_, place) => place % SHARDS.length === index);
    for (const [key] of held) weightMap[key] = shard;
    await writeSafetensors(path.join(textEncoder, shard), Object.fromEntries(held));
  }
  const index = JSON.stringify({ metadata: { total_size: 0 }, weight_map: weightMap });
  await writeFile(path.join(textEncoder, "model.safetensors.index.json"), index);
  await rm(path.join(textEncoder, "model.safetensors"));
  return folder;
}

async function setUp(contents: Parameters<typeof serveHub>[0] = {}): Promise<{
  hub: HubServer;
  source: string;
  licences: Licence[];
  download: (given?: Partial<PullOptions>) => ReturnType<typeof pull>;
}> {
  const source = await shardedFolder();
  const card = { license: "apache-2.0" };
  const hub = await serveHub({ repository: REPOSITORY, folder: source, card, gated: false, ...contents });
  const cacheFolder = path.join(await temporaryFolder(), "hub");
  const licences: Licence[] = [];
  const download = (given: Partial<PullOptions> = {}): ReturnType<typeof pull> =>
    pull({
      families: PIPELINES,
      repository: { name: REPOSITORY, revision: "main" },
      endpoint: hub.endpoint,
      cacheFolder,
      signal: new AbortController().signal,
      accept: async (licence) => void licences.push(licence),
      watch: { onListed() {}, onProgress() {}, onFile() {}, onWait() {} },
      firstPauseMs: 1,
      ...given,
    });
  return { hub, source, licences, download };
}

describe("a repository of FLUX.2 [klein]", () => {
  it("is downloaded with its shards, its tokenizer and its chat template, and can be opened", async () => {
    const { hub, source, licences, download } = await setUp();
    // The transformer once more in one file, and what else lies at the root.
    for (const name of ["flux-2-klein-4b.safetensors", ".gitattributes", "editing.jpg"]) {
      hub.files.set(name, Buffer.from("not wanted"));
    }
    const { folder } = await download();
    const files = async (place: string): Promise<string[]> => {
      const found = await readdir(place, { recursive: true, withFileTypes: true });
      return found
        .filter((entry) => !entry.isDirectory())
        .map((entry) => path.relative(place, path.join(entry.parentPath, entry.name)).replaceAll("\\", "/"))
        .toSorted();
    };
    const wanted = await files(source);
    expect(wanted).toEqual(
      expect.arrayContaining([
        "tokenizer/chat_template.jinja",
        "tokenizer/merges.txt",
        "tokenizer/tokenizer.json",
        "tokenizer/vocab.json",
        "text_encoder/model.safetensors.index.json",
        ...SHARDS.map((shard) => `text_encoder/${shard}`),
      ]),
    );
    expect(await files(folder)).toEqual(wanted);
    for (const file of wanted) {
      expect(await readFile(path.join(folder, file)), file).toEqual(await readFile(path.join(source, file)));
    }
    expect(parametersOf(await readModelPlan(folder))).toEqual(parametersOf(await readModelPlan(PLAIN)));
    expect(licences).toEqual([{ name: "apache-2.0", link: `${hub.endpoint}/${REPOSITORY}`, isAsked: false }]);
  });

  it("is not whole while a shard is missing", async () => {
    const { hub, download } = await setUp();
    hub.files.delete(`text_encoder/${SHARDS[1]}`);
    await expect(download()).rejects.toEqual(
      refusal("CHECKPOINT_MISSING", new RegExp(`text_encoder.*${SHARDS[1]}`)),
    );
  });

  it.each<[string, object, object]>([
    [
      "a licence of its publisher",
      { card: { license: "other", license_name: "flux-non-commercial-license", license_link: "LICENSE.md" } },
      { name: "flux-non-commercial-license", link: `/${REPOSITORY}/blob/main/LICENSE.md`, isAsked: true },
    ],
    [
      "a licence of the list behind a gate",
      { gated: "auto" },
      { name: "apache-2.0", link: `/${REPOSITORY}`, isAsked: true },
    ],
    ["no licence", { card: {} }, { name: "that its page names", link: `/${REPOSITORY}`, isAsked: true }],
  ])("is asked about where its card has %s", async (_, contents, { link, ...rest }: { link?: string }) => {
    const { hub, licences, download } = await setUp(contents);
    await download();
    expect(licences).toEqual([{ ...rest, link: `${hub.endpoint}${link}` }]);
  });

  it("is refused in one sentence behind a gate that is shut", async () => {
    const { hub, download } = await setUp({ gated: "auto" });
    hub.fault = (asked, response) =>
      asked.path === "model_index.json" ? refuse(response, 401, { "x-error-code": "GatedRepo" }) : undefined;
    await expect(download()).rejects.toEqual(
      refusal(
        "HUB_REFUSED",
        `${REPOSITORY} is gated: accept its licence at ${hub.endpoint}/${REPOSITORY}, logged in, and give a token of that account in HF_TOKEN.`,
      ),
    );
  });

  it("is found offline once it is there", async () => {
    const { download } = await setUp();
    const { folder } = await download();
    expect(await download({ isOffline: true })).toMatchObject({ folder, commit: COMMIT, downloadedBytes: 0 });
  });
});
