/** The sizes of what klein's transformer takes, for the inputs that every side gets. */
import type { Flux2Config } from "../../src/models/transformers/flux2-config.ts";
import type { InputSizes } from "../full-size/step-inputs.ts";

/** A cell is a token, and there is no pooled text. */
export const kleinInputs = ({ inChannels, promptSize }: Flux2Config): InputSizes => ({
  channels: inChannels,
  promptSize,
  pooledSize: 0,
});
