/** The LoRAs that an engine may use: names and their files. What is read stays in memory, the latest few. */
import { stat } from "node:fs/promises";
import { RetouchError } from "../errors.ts";
import type { Adapter } from "../models/adapters.ts";
import { joinLoras } from "./join.ts";
import { type Lora, readLora } from "./read-lora.ts";
import type { FindTarget } from "./targets.ts";
import { type LoraUse, MAX_LORAS, unknownLora } from "./use.ts";

const MAX_SHOWN_KEYS = 3;

export class LoraShelf {
  readonly #files: ReadonlyMap<string, string>;
  readonly #findTarget: FindTarget;
  /** By file, the one that was used last at the end. */
  readonly #kept = new Map<string, { identity: string; lora: Lora }>();
  #joined: { of: readonly { lora: Lora; scale: number }[]; adapters: Map<string, Adapter> } = {
    of: [],
    adapters: new Map(),
  };

  constructor(files: Readonly<Record<string, string>>, findTarget: FindTarget) {
    this.#files = new Map(Object.entries(files));
    this.#findTarget = findTarget;
  }

  /**
   * What these LoRAs add to the network's layers, and sentences on what of them has no place in it.
   * @throws RetouchError INVALID_PARAMETER for a name that is not known, LORA_INVALID or LORA_UNSUPPORTED for its file,
   * with the name as `subject`
   */
  async use(
    uses: readonly LoraUse[],
  ): Promise<{ adapters: ReadonlyMap<string, Adapter>; notices: string[] }> {
    const loras: { lora: Lora; scale: number }[] = [];
    const notices: string[] = [];
    for (const { name, scale } of uses) {
      const lora = await this.#read(this.#fileOf(name)).catch((error: unknown) => {
        throw withSubject(error, name);
      });
      loras.push({ lora, scale });
      if (lora.unusedKeys.length > 0) notices.push(unusedNotice(name, lora.unusedKeys));
    }
    const { of } = this.#joined;
    const isSame =
      of.length === loras.length &&
      of.every(({ lora, scale }, index) => lora === loras[index]!.lora && scale === loras[index]!.scale);
    if (!isSame) this.#joined = { of: loras, adapters: joinLoras(loras) };
    return { adapters: this.#joined.adapters, notices };
  }

  #fileOf(name: string): string {
    const file = this.#files.get(name);
    if (file === undefined) throw unknownLora(name, [...this.#files.keys()]);
    return file;
  }

  async #read(file: string): Promise<Lora> {
    const identity = await identityOf(file);
    const known = this.#kept.get(file);
    this.#kept.delete(file);
    const lora = known?.identity === identity ? known.lora : await readLora(file, this.#findTarget);
    this.#kept.set(file, { identity, lora });
    for (const oldest of [...this.#kept.keys()].slice(0, -MAX_LORAS)) this.#kept.delete(oldest);
    return lora;
  }
}

/** @throws RetouchError LORA_INVALID */
export async function identityOf(file: string): Promise<string> {
  try {
    const { dev, ino, size, mtimeMs } = await stat(file);
    return [dev, ino, size, mtimeMs].join(":");
  } catch (cause) {
    throw new RetouchError("LORA_INVALID", `The LoRA file ${file} cannot be opened.`, { cause });
  }
}

/** The sentence has the file; whoever sent the name need not know where that is. */
function withSubject(error: unknown, subject: string): unknown {
  if (!(error instanceof RetouchError)) return error;
  return new RetouchError(error.code, error.message, { cause: error.cause, subject });
}

function unusedNotice(name: string, keys: readonly string[]): string {
  const more = keys.length > MAX_SHOWN_KEYS ? ` and ${keys.length - MAX_SHOWN_KEYS} more` : "";
  const shown = keys.slice(0, MAX_SHOWN_KEYS).join(", ");
  return `The LoRA ${name} has keys for which the network has no place; they have no effect: ${shown}${more}.`;
}
