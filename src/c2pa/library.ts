/**
 * C2PA's own library, as WebAssembly: an optional package that nothing of it is downloaded for, and that opens files from
 * outside in a memory of its own. It is loaded by those who sign, and asked for nothing over the network.
 */
import { readFile } from "node:fs/promises";
import { createRequire } from "node:module";
import { failure, RetouchError } from "../errors.ts";

type Library = typeof import("@contentauth/c2pa-wasm");
export type { WasmBuilder } from "@contentauth/c2pa-wasm";

const PACKAGE = "@contentauth/c2pa-wasm";
let loading: Promise<Library> | undefined;

/** @throws RetouchError CONFIG_INVALID if the package is not installed */
export function loadLibrary(): Promise<Library> {
  loading ??= load().catch((error: unknown) => {
    loading = undefined;
    throw error;
  });
  return loading;
}

async function load(): Promise<Library> {
  let library: Library;
  let wasm: Uint8Array<ArrayBuffer>;
  try {
    library = await import("@contentauth/c2pa-wasm");
    wasm = new Uint8Array(await readFile(createRequire(import.meta.url).resolve(`${PACKAGE}/c2pa.wasm`)));
  } catch (cause) {
    const reason = `content credentials need the package ${PACKAGE}; \`npm install ${PACKAGE}\` installs it`;
    const values = { field: "RETOUCH_C2PA_CERTIFICATE", sentence: `${reason}.` };
    throw new RetouchError("CONFIG_INVALID", failure("about", values), { cause });
  }
  (globalThis as { FileReaderSync?: unknown }).FileReaderSync ??= MemoryReader;
  library.initSync({ module: wasm });
  return library;
}

/** Bytes as the library takes them: it is made for browsers, and reads blobs at once. */
export class MemoryBlob extends Blob {
  override readonly size: number;
  readonly #bytes: Uint8Array;

  constructor(content: Uint8Array) {
    super([]);
    this.#bytes = content;
    this.size = content.byteLength;
  }

  override slice(start?: number, end?: number): MemoryBlob {
    return new MemoryBlob(this.#bytes.subarray(start, end));
  }

  /** A copy. */
  toBuffer(): ArrayBuffer {
    return new Uint8Array(this.#bytes).buffer;
  }
}

class MemoryReader {
  readAsArrayBuffer(blob: MemoryBlob): ArrayBuffer {
    return blob.toBuffer();
  }
}
