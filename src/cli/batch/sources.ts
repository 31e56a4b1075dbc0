/** Looks at the pictures of a batch before the first edit, each once, and reads them again when their turn comes. */
import { stat } from "node:fs/promises";
import { fileURLToPath } from "node:url";
import { sha256 } from "../../sha256.ts";
import { failure, RetouchError } from "../../errors.ts";
import { readImageSource, type Size } from "../../index.ts";
import { sizeOfImage } from "../disk-room.ts";
import type { Source } from "./entry.ts";

export interface Sources {
  /**
   * SHA-256 of a picture's file; of an address, which may change what it serves, its own.
   * @throws RetouchError IMAGE_UNREADABLE, IMAGE_TOO_LARGE
   */
  digest(source: Source): Promise<string>;
  /** The sides of a picture, as its header has them; undefined for an address and what has none. */
  size(source: Source): Promise<Size | undefined>;
  /** Decodes a picture once; addresses are left for their turn. @throws RetouchError as `readImageSource` verifies */
  check(source: Source): Promise<void>;
  /** @throws RetouchError also IMAGE_UNREADABLE if the file has changed since */
  read(source: Source): Promise<Uint8Array>;
}

const isRemote = ({ source }: Source): boolean => /^https?:/i.test(source);

/** @param signal ends a wait for a file or a host */
export function createSources(signal: AbortSignal): Sources {
  /** Results and failures alike, by source. */
  const digests = new Map<string, Promise<string>>();
  const sizes = new Map<string, Promise<Size | undefined>>();
  const checks = new Map<string, Promise<void>>();
  const once = <Result>(
    memory: Map<string, Promise<Result>>,
    key: string,
    work: () => Promise<Result>,
  ): Promise<Result> => {
    const made = memory.get(key) ?? work();
    memory.set(key, made);
    return made;
  };
  const bytesOf = async (source: Source, isVerified: boolean): Promise<Uint8Array> => {
    await refuseSpecial(source);
    const { bytes } = await readImageSource(source.source, { signal, isVerified }).catch((error: unknown) =>
      Promise.reject(renamed(error, source)),
    );
    return bytes;
  };
  const digest = (source: Source): Promise<string> =>
    once(digests, source.source, async () =>
      isRemote(source) ? sha256(source.source) : sha256(await bytesOf(source, false)),
    );
  return {
    digest,
    size: (source) =>
      once(sizes, source.source, async () =>
        isRemote(source) ? undefined : sizeOfImage(await bytesOf(source, false)),
      ),
    check: (source) =>
      once(checks, source.source, async () => {
        if (!isRemote(source)) await bytesOf(source, true);
      }),
    async read(source) {
      const bytes = await bytesOf(source, false);
      if (!isRemote(source) && sha256(bytes) !== (await digest(source))) {
        throw unreadable(source, "it has been changed since the batch began");
      }
      return bytes;
    },
  };
}

/** Reading a pipe or a device would wait for ever, or find something else the second time. */
async function refuseSpecial(source: Source): Promise<void> {
  if (/^(?:https?|data):/i.test(source.source)) return;
  const found = await stat(pathOf(source)).catch(() => undefined);
  if (found === undefined || found.isFile() || found.isDirectory()) return;
  throw unreadable(source, "it is not a file, but a pipe or a device");
}

function pathOf({ source }: Source): string {
  try {
    return /^file:/i.test(source) ? fileURLToPath(source) : source;
  } catch {
    return source;
  }
}

/** The same failure about the name that the user gave. */
function renamed(error: unknown, { given, source }: Source): unknown {
  if (!(error instanceof RetouchError) || given === source) return error;
  const { kind, values } = error.failure;
  if (values["source"] !== source) return error;
  return new RetouchError(error.code, { kind, values: { ...values, source: given } }, { cause: error });
}

const unreadable = ({ given }: Source, reason: string): RetouchError =>
  new RetouchError("IMAGE_UNREADABLE", failure("imageUnreadable", { source: given, reason }));
