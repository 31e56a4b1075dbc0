/** The seeds of an edit and of its results. */
import { randomInt } from "node:crypto";
import { EDIT_PARAMETERS } from "./edit-parameters.ts";

const MAX_RANDOM_SEED = 2 ** 32;

/** The seed that an edit uses: the caller's, or a random one. */
export const chosenSeed = (seed: number): number =>
  seed === EDIT_PARAMETERS.seed.default ? randomInt(MAX_RANDOM_SEED) : seed;

/** The seed of the result at `index`: only the low 32 bits of a seed count. */
export const seedAt = (seed: number, index: number): number =>
  index === 0 ? seed : (seed + index) % MAX_RANDOM_SEED;
