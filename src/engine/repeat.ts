/** An edit made again from its receipt, to see whether the same picture comes of it. */
import { RetouchError } from "../errors.ts";
import type { Receipt } from "../receipts/receipt.ts";
import type { ReuseBudget } from "../sampling/reuse.ts";
import type { Engine } from "./engine.ts";
import { RECEIPT_PARAMETERS, type RECEIPT_TEXTS } from "./receipt-facts.ts";
import { type EditRequest, resolveRequest } from "./request.ts";
import type { EditOptions, EditResult } from "./run-edit.ts";
import { WEIGHTS_CHOICES, type WeightsChoice } from "./weights-choice.ts";

/** What a receipt does not hold. */
export interface RepeatInputs {
  images: readonly Uint8Array[];
  mask?: Uint8Array | undefined;
  texts: Readonly<Partial<Record<(typeof RECEIPT_TEXTS)[number], string>>>;
}

const KNOWN: ReadonlySet<string> = new Set(RECEIPT_PARAMETERS);

/**
 * The request of a receipt's edit.
 * @throws RetouchError RECEIPT_INVALID for parameters that no edit has, or an edit that only a program can repeat
 */
export function requestOf(receipt: Receipt, { images, mask, texts }: RepeatInputs): EditRequest {
  if (receipt.tensors !== undefined || receipt.noise.batch !== undefined) {
    throw refused("The edit was made of tensors that a program gave, so it cannot be made again here.");
  }
  const parameters = Object.fromEntries(
    Object.entries(receipt.parameters).filter(([name]) => KNOWN.has(name)),
  );
  const request = {
    ...parameters,
    ...texts,
    image: images,
    mask,
    seed: receipt.seed,
    loras: receipt.loras.map(({ name, scale }) => ({ name, scale })),
    // What was reused stands in the receipt itself.
    acceleration: "off",
    minPsnr: undefined,
  } as EditRequest;
  try {
    resolveRequest(request);
  } catch (cause) {
    if (!(cause instanceof RetouchError)) throw cause;
    throw refused(`The receipt has parameters that no edit has: ${cause.message}`, { cause });
  }
  return request;
}

/** Makes it again. @param request as {@link requestOf} returns it @throws RetouchError as an edit */
export const repeatEdit = (
  engine: Engine,
  receipt: Receipt,
  request: EditRequest,
  options: Pick<EditOptions, "signal" | "onStep">,
): Promise<EditResult> =>
  engine.edit(request, { ...options, reuse: receipt.reuse as ReuseBudget | undefined });

/** The choice of weights that gives a receipt's, where one does. */
export function weightsOf({ weights, arithmetic }: Receipt): WeightsChoice {
  const [first, ...others] = Object.values(weights);
  const isOne = others.every((kind) => kind === first);
  const choice = WEIGHTS_CHOICES.find((known) => known === first);
  // Products are rounded where the choice was left to the engine.
  return isOne && choice !== undefined && arithmetic.startsWith(first!) && !arithmetic.includes("products")
    ? choice
    : "auto";
}

const COMPARED = [
  ["program", "the program"],
  ["graph", "the graph of the networks"],
  ["arithmetic", "the arithmetic"],
  ["runtime", "the runtime"],
  ["device", "the device"],
  ["processor", "the processor"],
  ["tiles", "the size of the autoencoder's tiles"],
] as const satisfies readonly (readonly [keyof Receipt, string])[];

/** What made one edit otherwise than the other, as a sentence names it. */
export function differencesOf(one: Receipt, other: Receipt): string[] {
  const noise = one.noise.sha256 ?? other.noise.sha256;
  return [
    ...COMPARED.filter(([name]) => one[name] !== other[name]).map(([, words]) => words),
    ...(noise === (other.noise.sha256 ?? noise) ? [] : ["the noise"]),
  ];
}

const refused = (sentence: string, options?: { cause: unknown }): RetouchError =>
  new RetouchError("RECEIPT_INVALID", sentence, options);
