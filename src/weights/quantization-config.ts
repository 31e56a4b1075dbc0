/** What a component's `config.json` says of how its weights were quantised. */
import { RetouchError } from "../errors.ts";
import { type Config, shownValue } from "./config.ts";

const FIELD = "quantization_config";
/** Factors beside fp8 weights, which are read (`scaled-fp8.ts`); its NVFP4 is refused by its keys. */
const READ_METHOD = '"bfl"';

/**
 * Makes sure that a folder's weights are numbers as they are, or fp8 with a factor.
 * @throws RetouchError CHECKPOINT_UNSUPPORTED, naming the method, or CHECKPOINT_INVALID where none is named
 */
export function assertReadableQuantisation(config: Config): void {
  const given = config.get(FIELD);
  if (given === undefined) return;
  const method = typeof given === "object" ? methodOf(given as Record<string, unknown>) : undefined;
  if (method === undefined) throw config.invalid(FIELD, "an object that names its quant_method");
  if (method === READ_METHOD) return;
  throw new RetouchError(
    "CHECKPOINT_UNSUPPORTED",
    `In ${config.file}, ${FIELD} says that the weights are quantised by ${method}, which cannot be read; take the weights in 16 or 32 bits, or a GGUF file.`,
  );
}

/** As both libraries find it: bitsandbytes need not say its name. */
function methodOf(fields: Readonly<Record<string, unknown>>): string | undefined {
  const { quant_method: method, load_in_4bit: in4Bits, load_in_8bit: in8Bits } = fields;
  const isBitsAndBytes = method === "bitsandbytes" || in4Bits === true || in8Bits === true;
  if (!isBitsAndBytes) return typeof method === "string" ? shownValue(method) : undefined;
  if (in4Bits !== true) return "bitsandbytes in 8 bits";
  // Its default is fp4.
  const type = fields["bnb_4bit_quant_type"] ?? "fp4";
  return type === "nf4" || type === "fp4" ? `bitsandbytes as ${type}` : "bitsandbytes in 4 bits";
}
