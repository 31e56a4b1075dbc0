/** What programs that are not clients send: a model's call of the tool, and the hub's answers. */
import { mkdirSync, symlinkSync, writeFileSync } from "node:fs";
import { realpath } from "node:fs/promises";
import path from "node:path";
import { createEditTool } from "../../src/cli/edit-tool.ts";
import { openRootFolder } from "../../src/cli/root-folder.ts";
import { createToolOutput } from "../../src/cli/tool-output.ts";
import { RetouchError } from "../../src/errors.ts";
import { type Hub, readFiles, readRevision } from "../../src/hub/listing.ts";
import type { HttpClient } from "../../src/net/http-client.ts";
import { PIXEL } from "../corpus/bodies.ts";
import { jsonBytes } from "../mutate/json.ts";
import { mutateText } from "../mutate/text.ts";
import { expect, type Target, target } from "../target.ts";

const ARGUMENTS: readonly unknown[] = [
  {
    image: "bird.png",
    instruction: "a red hat",
    output: "below/hat.png",
    size: "1024x768",
    steps: 28,
    guidance: 2.5,
    seed: 7,
    negative_prompt: "blurry",
    true_cfg_scale: 2,
    keep_unchanged: true,
    format: "png",
    loras: [{ name: "ink", scale: 0.5 }],
  },
  { image: "../outside.png", instruction: "night" },
  { image: "link.png", instruction: "night", output: "linked/hat.png" },
  { image: "./below/../bird.png", instruction: "night", output: "../hat.jpg" },
  { image: `data:image/png;base64,${PIXEL}`, instruction: "night", output: "/tmp/hat.png" },
  { image: "file:///etc/hostname", instruction: "night" },
];

const NAME = "org/name";
const COMMIT = "0123456789abcdef0123456789abcdef01234567";
/** Of `/api/models/NAME/revision/REVISION`, and of a page of `/tree/`. */
const REVISIONS: readonly unknown[] = [
  {
    _id: "1",
    id: NAME,
    modelId: NAME,
    private: false,
    gated: "auto",
    downloads: 1,
    likes: 1,
    lastModified: "2026-01-01T00:00:00.000Z",
    sha: COMMIT,
    cardData: { license: "other", license_name: "a-licence", license_link: "LICENSE.md" },
  },
];
const PAGES: readonly unknown[] = [
  [
    { type: "file", path: "model_index.json", size: 632, oid: COMMIT },
    { type: "directory", path: "vae", size: 0, oid: COMMIT },
    {
      type: "file",
      path: "vae/model.safetensors",
      size: 100,
      oid: COMMIT,
      lfs: { oid: "a".repeat(64), size: 100, pointerSize: 130 },
    },
  ],
];
const LINKS: readonly string[] = [
  '<https://hub.example/api/models/org/name/tree/main?cursor=x>; rel="next"',
  "<https://hub.example/>",
];
/** More pages than any list has that ends. */
const MAX_CALLS = 20_000;

interface Answers {
  revision: Buffer;
  page: Buffer;
  link: string | undefined;
}

export const TARGETS: readonly Target[] = [
  target<Buffer>(
    {
      name: "tool-arguments",
      parser: "createEditTool and openRootFolder, src/cli",
      codes: [
        "INVALID_PARAMETER",
        "IMAGE_UNREADABLE",
        "IMAGE_INVALID",
        "IMAGE_UNSUPPORTED",
        "IMAGE_TOO_LARGE",
        "OUTPUT_UNWRITABLE",
        "ABORTED",
      ],
    },
    async (folder) => {
      const inside = path.join(await realpath(folder), "root");
      mkdirSync(path.join(inside, "below"), { recursive: true });
      const pixel = Buffer.from(PIXEL, "base64");
      writeFileSync(path.join(inside, "bird.png"), pixel);
      writeFileSync(path.join(folder, "outside.png"), pixel);
      symlinkSync(path.join(folder, "outside.png"), path.join(inside, "link.png"));
      symlinkSync(folder, path.join(inside, "linked"));
      const root = await openRootFolder(inside);
      const client = { get: async () => Promise.reject(new Error("connect ECONNREFUSED")) };
      const tool = createEditTool({
        // Whoever comes so far has given valid arguments and an image.
        load: async () => Promise.reject(new RetouchError("ABORTED", "The call is valid.")),
        loras: ["ink"],
        access: {
          client: client as unknown as HttpClient,
          async open(file) {
            const handle = await root.open("image", file);
            const opened = await realpath(`/proc/self/fd/${handle.fd}`).catch(() => inside);
            expect(opened.startsWith(inside), `opened ${opened}`);
            return handle;
          },
        },
        results: createToolOutput(root, { isOverwriting: false }),
      });
      const { signal } = new AbortController();
      return {
        generate: (random) => jsonBytes(ARGUMENTS, random),
        async feed(bytes) {
          let given: unknown;
          try {
            given = JSON.parse(bytes.toString("utf8"));
          } catch {
            return;
          }
          // The protocol's own schema lets only objects through.
          if (typeof given !== "object" || given === null || Array.isArray(given)) return;
          await tool.call(given as Record<string, unknown>, { signal, onStep: async () => {} });
        },
      };
    },
  ),
  target<Answers>(
    {
      name: "hub-listing",
      parser: "readRevision and readFiles, src/hub/listing.ts",
      codes: ["HUB_UNAVAILABLE"],
    },
    () => ({
      generate: (random) => ({
        revision: jsonBytes(REVISIONS, random),
        page: jsonBytes(PAGES, random),
        link: random.chance(0.2) ? mutateText(random.pick(LINKS), random) : undefined,
      }),
      async feed({ revision, page, link }) {
        let calls = 0;
        const fetch = async (url: Parameters<Hub["fetch"]>[0]): Promise<Response> => {
          calls += 1;
          expect(calls < MAX_CALLS, "asks for ever more pages");
          const isTree = String(url).includes("/tree/");
          const headers = new Headers({ "content-type": "application/json" });
          // Only latin-1 can be in a header.
          if (isTree && link !== undefined && calls < 3)
            headers.set("link", link.replaceAll(/[^\x20-\x7e]/g, ""));
          return new Response(new Uint8Array(isTree ? page : revision), { headers });
        };
        const hub: Hub = { endpoint: "https://hub.example", signal: new AbortController().signal, fetch };
        const { commit, licence } = await readRevision(hub, { name: NAME, revision: "main" });
        expect(/^[0-9a-f]{40}$/.test(commit) && licence.name.length <= 200, "gave a commit that is none");
        for (const file of await readFiles(hub, NAME, commit)) {
          expect(
            !file.path.split("/").some((part) => ["", ".", ".."].includes(part)),
            `gave the path ${file.path}`,
          );
        }
      },
    }),
  ),
];
