/** Collects bytes as they arrive, until they are all there. */

export interface Pieces {
  byteLength(): number;
  add(piece: Buffer): void;
  /** Returns everything in one piece and keeps nothing. */
  take(): Buffer;
  /** Drops everything, when nobody needs it any more. */
  clear(): void;
}

/** Blocks double in size from this one to the next constant. */
const FIRST_BLOCK_BYTES = 4 * 1024;
const BLOCK_BYTES = 256 * 1024;
/** 16 MB. */
const MAX_SPARE_BLOCKS = 64;

const NO_BYTES = Buffer.alloc(0);
/**
 * Blocks are reused: otherwise a steady flow of bodies would leave the garbage collector as much as they may
 * hold at once.
 */
const spareBlocks: Buffer<ArrayBuffer>[] = [];

/** Copies pieces into blocks: each piece costs some hundred bytes of its own and may hold a single byte. */
export function createPieces(): Pieces {
  /** Usually the only piece, in which case no block is needed. */
  let first: Buffer | undefined;
  let blocks: Buffer<ArrayBuffer>[] = [];
  let block = NO_BYTES;
  /** In the last block. */
  let usedBytes = 0;
  let byteLength = 0;

  function addBlock(): void {
    const bytes = Math.min(Math.max(byteLength, FIRST_BLOCK_BYTES), BLOCK_BYTES);
    block = (bytes === BLOCK_BYTES ? spareBlocks.pop() : undefined) ?? Buffer.allocUnsafeSlow(bytes);
    usedBytes = 0;
    blocks.push(block);
  }

  function copy(piece: Buffer): void {
    for (let at = 0; at < piece.byteLength;) {
      if (usedBytes === block.byteLength) addBlock();
      const copied = piece.copy(block, usedBytes, at);
      usedBytes += copied;
      at += copied;
    }
  }

  function clear(): void {
    for (const used of blocks) {
      if (used.byteLength === BLOCK_BYTES && spareBlocks.length < MAX_SPARE_BLOCKS) spareBlocks.push(used);
    }
    first = undefined;
    blocks = [];
    block = NO_BYTES;
    usedBytes = 0;
  }

  return {
    byteLength: () => byteLength,
    add(piece) {
      if (byteLength === 0) first = piece;
      else {
        if (first) copy(first);
        first = undefined;
        copy(piece);
      }
      byteLength += piece.byteLength;
    },
    take() {
      const whole = Buffer.concat(first ? [first] : blocks, byteLength);
      clear();
      return whole;
    },
    clear,
  };
}
