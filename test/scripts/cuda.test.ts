import { createHash } from "node:crypto";
import { readdir, readFile, writeFile } from "node:fs/promises";
import { createServer } from "node:http";
import path from "node:path";
import { crc32, deflateRawSync } from "node:zlib";
import { describe, expect, it, onTestFinished } from "vitest";
import { installProvider, PROVIDER, type Provider } from "../../scripts/cuda.mjs";
import { root } from "../support/fixtures.ts";
import { temporaryFolder } from "../support/temporary.ts";

const [SHARED, CUDA] = PROVIDER.files as [string, string];
const INSTALLED = ["libonnxruntime_providers_cuda.so", "libonnxruntime_providers_shared.so"];

/** A zip archive; what is not compressed has an extra field in one header, as some writers make it. */
function zipOf(files: readonly { name: string; content: string; isCompressed: boolean }[]): Buffer {
  const parts: Buffer[] = [];
  const directory: Buffer[] = [];
  let offset = 0;
  for (const { name, content, isCompressed } of files) {
    const bytes = isCompressed ? deflateRawSync(content) : Buffer.from(content);
    const extra = Buffer.alloc(isCompressed ? 0 : 4);
    const common = Buffer.alloc(26);
    common.writeUInt16LE(20, 0);
    common.writeUInt16LE(isCompressed ? 8 : 0, 4);
    common.writeUInt32LE(crc32(content), 10);
    common.writeUInt32LE(bytes.length, 14);
    common.writeUInt32LE(content.length, 18);
    common.writeUInt16LE(name.length, 22);
    const local = Buffer.concat([Buffer.from("PK\u0003\u0004", "latin1"), common, Buffer.from(name), extra]);
    local.writeUInt16LE(extra.length, 28);
    const entry = Buffer.concat([
      Buffer.from("PK\u0001\u0002\u0014\u0000", "latin1"),
      common,
      Buffer.alloc(14),
    ]);
    entry.writeUInt32LE(offset, 42);
    directory.push(entry, Buffer.from(name));
    parts.push(local, bytes);
    offset += local.length + bytes.length;
  }
  const table = Buffer.concat(directory);
  const end = Buffer.alloc(22);
  end.write("PK\u0005\u0006", "latin1");
  end.writeUInt32LE(table.length, 12);
  end.writeUInt32LE(offset, 16);
  return Buffer.concat([...parts, table, end]);
}

const WHEEL = zipOf([
  { name: "onnxruntime/__init__.py", content: "import this", isCompressed: true },
  { name: CUDA, content: "cuda ".repeat(1000), isCompressed: true },
  { name: SHARED, content: "shared", isCompressed: false },
]);
const sha256Of = (bytes: Buffer): string => createHash("sha256").update(bytes).digest("hex");
const providerOf = (wheel: Buffer): Provider => ({
  ...PROVIDER,
  sha256: sha256Of(wheel),
  byteLength: wheel.length,
});

/** An index with one wheel, whose address is relative to the project's page. */
async function indexWith(bytes: Buffer, filename = PROVIDER.wheel): Promise<string> {
  const server = createServer((request, response) => {
    if (request.url === `/files/${filename}`) return response.end(bytes);
    if (request.url !== "/simple/onnxruntime-gpu/") return response.writeHead(404).end();
    expect(request.headers.accept).toBe("application/vnd.pypi.simple.v1+json");
    return response.end(JSON.stringify({ files: [{ filename, url: `../../files/${filename}` }] }));
  });
  await new Promise<void>((resolve) => {
    server.listen(0, "127.0.0.1", resolve);
  });
  onTestFinished(() => void server.close());
  const address = server.address();
  if (address === null || typeof address === "string") throw new Error("The server has no port.");
  return `http://127.0.0.1:${address.port}/simple`;
}

async function install(options: Partial<Parameters<typeof installProvider>[0]>): Promise<{
  folder: string;
  said: string[];
  failure: string | undefined;
}> {
  const folder = await temporaryFolder();
  const said: string[] = [];
  const all = { provider: providerOf(WHEEL), folder, say: (line: string) => said.push(line), ...options };
  const failure = await installProvider(all).then(
    () => undefined,
    (error: Error) => error.message,
  );
  return { folder, said, failure };
}

describe("the CUDA provider", () => {
  it("is downloaded, checked and unpacked: its two files and no others", async () => {
    const { folder, said, failure } = await install({ index: await indexWith(WHEEL) });
    expect(failure).toBeUndefined();
    expect((await readdir(folder)).toSorted()).toEqual(INSTALLED);
    const read = (name: string): Promise<string> => readFile(path.join(folder, name), "utf8");
    expect(await Promise.all(INSTALLED.map(read))).toEqual(["cuda ".repeat(1000), "shared"]);
    expect(said).toEqual([
      expect.stringMatching(/^Downloading onnxruntime_gpu-1\.30\.0-\S+ \(0 MB\) from 127\.0\.0\.1:\d+$/),
      `Installed ${path.join(folder, path.posix.basename(SHARED))}`,
      `Installed ${path.join(folder, path.posix.basename(CUDA))}`,
    ]);
  });

  it("is taken from a wheel that is here already", async () => {
    const file = path.join(await temporaryFolder(), "some.whl");
    await writeFile(file, WHEEL);
    const { folder, said } = await install({ file, index: "http://127.0.0.1:1" });
    expect((await readdir(folder)).toSorted()).toEqual(INSTALLED);
    expect(said).toHaveLength(2);
  });

  it("is not installed from other bytes, and leaves nothing", async () => {
    const other = Buffer.from(WHEEL);
    other[100]! ^= 1;
    const { folder, failure } = await install({ index: await indexWith(other) });
    expect(failure).toMatch(
      new RegExp(`is not onnxruntime_gpu-.*: its SHA-256 is ${sha256Of(other)}, not ${sha256Of(WHEEL)}\\.$`),
    );
    expect(await readdir(folder)).toEqual([]);
  });

  it("is not waited for without end", async () => {
    const { folder, failure } = await install({ index: await indexWith(Buffer.concat([WHEEL, WHEEL])) });
    expect(failure).toMatch(new RegExp(`sends more than ${WHEEL.length} bytes\\.$`));
    expect(await readdir(folder)).toEqual([]);
  });

  it("is missed by name where the index or the wheel lacks it", async () => {
    const lacking = await install({ index: await indexWith(WHEEL, "other.whl") });
    expect(lacking.failure).toMatch(/\/simple\/onnxruntime-gpu\/ has no onnxruntime_gpu-1\.30\.0-.*\.whl\.$/);
    const empty = zipOf([{ name: "a", content: "b", isCompressed: false }]);
    const { failure, folder } = await install({ provider: providerOf(empty), index: await indexWith(empty) });
    expect(failure).toMatch(/has no onnxruntime\/capi\/libonnxruntime_providers_shared\.so\.$/);
    expect(await readdir(folder)).toEqual([]);
    const gone = await install({ index: "http://127.0.0.1:1/simple" });
    expect(gone.failure).toMatch(/^http:\/\/127\.0\.0\.1:1\/simple\/onnxruntime-gpu\/ cannot be reached: /);
  });

  it("is of the version that onnxruntime-node has here", async () => {
    const manifest = JSON.parse(await readFile(path.join(root, "package.json"), "utf8"));
    expect(manifest.dependencies["onnxruntime-node"]).toBe(PROVIDER.version);
  });
});
