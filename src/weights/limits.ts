/**
 * What a checkpoint's files may count to. The numbers in them become loops, graphs and memory, so each has an end, far
 * above what is published: a damaged or hostile file is refused in a sentence, and asks for nothing.
 */

/** Layers or blocks of one kind; the published transformer has 38. */
export const MAX_LAYERS = 1000;
/** Heads of an attention; published are 24 to 64. */
export const MAX_HEADS = 1024;
/** Numbers of a token in some place of a network; published are up to 12,288. */
export const MAX_WIDTH = 2 ** 17;
/** Tokens that a text encoder has positions for; CLIP has 77. */
export const MAX_POSITIONS = 4096;
/** Tokens of a vocabulary; published are up to 49,408. */
export const MAX_VOCABULARY = 1_000_000;
/** Levels of an autoencoder, each of which halves the picture; published are 4. */
export const MAX_LEVELS = 8;
/** Channels of a latent grid; published are 16. */
export const MAX_LATENT_CHANNELS = 256;
/** Side of the pictures that a network was made for, in pixels; published are 1024. */
export const MAX_SAMPLE_SIZE = 8192;

/** Tensors of a file; the published files have fewer than 1,000. */
export const MAX_TENSORS = 100_000;
/** Files that an index lists. */
export const MAX_SHARDS = 1000;
/** Of the name of a tensor. */
export const MAX_KEY_CHARACTERS = 1000;
/** Of a tensor. */
export const MAX_DIMENSIONS = 16;
/** Of a configuration, an index or a file of a tokenizer; the largest published vocabularies are a third of it. */
export const MAX_TEXT_FILE_BYTES = 100_000_000;
/** Of a text in a configuration. */
export const MAX_TEXT_CHARACTERS = 200;
