/** How much one batch may hold: more is a mistake, such as the root of a disk, and would fill the memory. */
export const LIMITS = {
  /** Edits, and so lines and results. */
  edits: 100_000,
  /** Of one line of a file of edits, in bytes: room for a data URL of some 700 kB. */
  lineBytes: 2 ** 20,
  /** Of such a file. */
  fileBytes: 64 * 2 ** 20,
  /** Images of one edit; the model's own limit is lower. */
  images: 16,
  /** Names in folders that are looked at. */
  names: 1_000_000,
  /** Folders in folders. */
  depth: 32,
  /** Characters of a path or URL, but for data URLs. */
  path: 8192,
  /** Characters of `output`, and bytes of one of its parts, which is the limit of common file systems. */
  output: 1024,
  outputPart: 255,
  /** Of a journal, which has some hundred bytes an edit and run. */
  journalBytes: 512 * 2 ** 20,
  /** Results of one entry: as on the wire. */
  numImages: 8,
} as const;
