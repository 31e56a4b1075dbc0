// Adds the CUDA provider to onnxruntime-node: two files of the PyPI wheel onnxruntime-gpu of the same version, checked
// and put beside its own libraries. Usage: node scripts/cuda.mjs [--wheel FILE] [--index URL], docs/devices.md
import { createHash } from "node:crypto";
import { createReadStream, createWriteStream, realpathSync } from "node:fs";
import { mkdtemp, open, rename, rm } from "node:fs/promises";
import { createRequire } from "node:module";
import path from "node:path";
import { Readable, Transform } from "node:stream";
import { pipeline } from "node:stream/promises";
import { fileURLToPath } from "node:url";
import { parseArgs } from "node:util";
import { createInflateRaw } from "node:zlib";

/** The wheel, and those of its files from which onnxruntime loads CUDA. */
export const PROVIDER = {
  project: "onnxruntime-gpu",
  version: "1.30.0",
  wheel: "onnxruntime_gpu-1.30.0-cp312-cp312-manylinux_2_28_x86_64.whl",
  sha256: "6acc0f4b3d5ac5f2984432faa59dd8fcce6775f8b43a7140afa0f322c7a703b1",
  byteLength: 246_685_715,
  files: [
    "onnxruntime/capi/libonnxruntime_providers_shared.so",
    "onnxruntime/capi/libonnxruntime_providers_cuda.so",
  ],
};
const INDEX = "https://pypi.org/simple";

/**
 * Copies `provider` from the wheel `file`, or downloads it from `index`, into `folder`. A file appears there whole or not
 * at all.
 */
export async function installProvider({ provider = PROVIDER, file, index = INDEX, folder, say }) {
  const work = await mkdtemp(path.join(folder, ".cuda-"));
  try {
    const wheel = file ?? (await download(provider, index, path.join(work, provider.wheel), say));
    const found = await sha256Of(wheel);
    if (found !== provider.sha256) {
      throw new Error(`${wheel} is not ${provider.wheel}: its SHA-256 is ${found}, not ${provider.sha256}.`);
    }
    for (const name of provider.files) {
      const part = path.join(work, path.posix.basename(name));
      await unpack(wheel, name, part);
      await rename(part, path.join(folder, path.basename(part)));
      say(`Installed ${path.join(folder, path.basename(part))}`);
    }
  } finally {
    await rm(work, { recursive: true, force: true });
  }
}

/** By the index's JSON (https://packaging.python.org/specifications/simple-repository-api). */
async function download({ project, wheel, byteLength }, index, target, say) {
  const page = await fetched(`${index}/${project}/`, {
    headers: { accept: "application/vnd.pypi.simple.v1+json" },
  });
  const { files = [] } = await page.json();
  const entry = files.find(({ filename }) => filename === wheel);
  if (entry === undefined) throw new Error(`${index}/${project}/ has no ${wheel}.`);
  const url = new URL(entry.url, page.url);
  say(`Downloading ${wheel} (${(byteLength / 1e6).toFixed(0)} MB) from ${url.host}`);
  const { body } = await fetched(url);
  let received = 0;
  // An endless response would fill the disk.
  const counted = new Transform({
    transform(chunk, _, done) {
      received += chunk.length;
      done(received > byteLength ? new Error(`${url} sends more than ${byteLength} bytes.`) : null, chunk);
    },
  });
  await pipeline(Readable.fromWeb(body), counted, createWriteStream(target));
  return target;
}

async function fetched(url, options) {
  const response = await fetch(url, options).catch((error) => {
    throw new Error(`${url} cannot be reached: ${error.cause?.message ?? error.message}.`);
  });
  if (!response.ok) throw new Error(`${url} answers with ${response.status}.`);
  return response;
}

async function sha256Of(file) {
  const hash = createHash("sha256");
  await pipeline(createReadStream(file), hash);
  return hash.digest("hex");
}

/** Writes one file of a zip archive (https://pkware.cachefly.net/webdocs/casestudies/APPNOTE.TXT, 4.3). */
async function unpack(archive, name, target) {
  const handle = await open(archive);
  try {
    const { size } = await handle.stat();
    const { byteLength, offset } = await directoryOf(handle, size);
    const directory = await bytesAt(handle, offset, byteLength);
    const entry = entriesOf(directory).find((one) => one.name === name);
    if (entry === undefined) throw new Error(`${archive} has no ${name}.`);
    const header = await bytesAt(handle, entry.offset, 30);
    // Both headers have the lengths of name and extra field, which may differ.
    const start = entry.offset + 30 + header.readUInt16LE(26) + header.readUInt16LE(28);
    const data = createReadStream(archive, { start, end: start + entry.compressedLength - 1 });
    const steps = entry.method === 8 ? [createInflateRaw()] : [];
    await pipeline(data, ...steps, createWriteStream(target, { mode: 0o755 }));
  } finally {
    await handle.close();
  }
}

/** Finds the table of contents by the record at the end of the archive, which here has no comment. */
async function directoryOf(handle, size) {
  const end = await bytesAt(handle, size - 22, 22);
  if (end.readUInt32LE(0) !== 0x06054b50)
    throw new Error("The wheel's table of contents is not where wheels have it.");
  return { byteLength: end.readUInt32LE(12), offset: end.readUInt32LE(16) };
}

function entriesOf(directory) {
  const entries = [];
  for (let at = 0; at < directory.length;) {
    const [nameLength, extraLength, commentLength] = [28, 30, 32].map((field) =>
      directory.readUInt16LE(at + field),
    );
    entries.push({
      name: directory.toString("utf8", at + 46, at + 46 + nameLength),
      method: directory.readUInt16LE(at + 10),
      compressedLength: directory.readUInt32LE(at + 20),
      offset: directory.readUInt32LE(at + 42),
    });
    at += 46 + nameLength + extraLength + commentLength;
  }
  return entries;
}

async function bytesAt(handle, position, length) {
  const { buffer } = await handle.read(Buffer.alloc(length), 0, length, position);
  return buffer;
}

/** The folder of onnxruntime-node's libraries, which must be of the provider's version. */
function libraryFolder() {
  if (process.platform !== "linux" || process.arch !== "x64") {
    throw new Error(`CUDA can be added on Linux on x64, not on ${process.platform} on ${process.arch}.`);
  }
  const require = createRequire(import.meta.url);
  const { version } = require("onnxruntime-node/package.json");
  if (version !== PROVIDER.version) {
    throw new Error(`onnxruntime-node is ${version}; the provider of ${PROVIDER.version} does not fit.`);
  }
  return path.join(path.dirname(require.resolve("onnxruntime-node/package.json")), "bin/napi-v6/linux/x64");
}

async function main() {
  const { values } = parseArgs({ options: { wheel: { type: "string" }, index: { type: "string" } } });
  const say = (line) => void process.stdout.write(`${line}\n`);
  await installProvider({ file: values.wheel, index: values.index, folder: libraryFolder(), say });
  say(
    "`npx retouch doctor` says whether it works; it needs an NVIDIA GPU, its driver and CUDA 13 (docs/devices.md).",
  );
}

if (process.argv[1] !== undefined && realpathSync(process.argv[1]) === fileURLToPath(import.meta.url)) {
  await main().catch((error) => {
    process.stderr.write(`cuda.mjs: ${error.message}\n`);
    process.exitCode = 1;
  });
}
