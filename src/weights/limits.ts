/**
 * Limits for the numbers in a checkpoint's files. Those numbers become loops, graphs and memory, so each has a limit
 * far above the published values: a damaged or hostile file is refused with a sentence, before it costs anything.
 */

/** Layers or blocks of one kind; the published transformer has 38. */
export const MAX_LAYERS = 1000;
/** Attention heads; published values are 24 to 64. */
export const MAX_HEADS = 1024;
/** Numbers per token anywhere in a network; published values are up to 12,288. */
export const MAX_WIDTH = 2 ** 17;
/** Tokens that a text encoder has positions for; CLIP has 77. */
export const MAX_POSITIONS = 4096;
/** Tokens of a vocabulary; published values are up to 49,408. */
export const MAX_VOCABULARY = 1_000_000;
/** Levels of an autoencoder, each of which halves the image; the published one has 4. */
export const MAX_LEVELS = 8;
/** Channels of a latent grid; the published one has 16. */
export const MAX_LATENT_CHANNELS = 256;
/** Side of the images that a network was made for, in pixels; the published value is 1024. */
export const MAX_SAMPLE_SIZE = 8192;

/** Tensors of a file; the published files have fewer than 1,000. */
export const MAX_TENSORS = 100_000;
/** Files that an index lists. */
export const MAX_SHARDS = 1000;
/** Characters of a tensor's name. */
export const MAX_KEY_CHARACTERS = 1000;
/** Dimensions of a tensor. */
export const MAX_DIMENSIONS = 16;
/** Size of a configuration, an index or a tokenizer file; the largest published vocabularies are a third of it. */
export const MAX_TEXT_FILE_BYTES = 100_000_000;
/** Characters of a string in a configuration. */
export const MAX_TEXT_CHARACTERS = 200;
