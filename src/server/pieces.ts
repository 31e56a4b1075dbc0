/** Bytes as they arrive, until they are all there. */

export interface Pieces {
  byteLength(): number;
  add(piece: Buffer): void;
  /** All of it in one piece. Nothing is kept here. */
  take(): Buffer;
  /** Nobody wants it any more. */
  clear(): void;
}

/** Blocks double from this to the other. */
const FIRST_BLOCK_BYTES = 4 * 1024;
const BLOCK_BYTES = 256 * 1024;
/** 16 MB. */
const MAX_SPARE_BLOCKS = 64;

const NO_BYTES = Buffer.alloc(0);
/** Used again: bodies that come and go would otherwise leave as much to the garbage collector as they may hold at once. */
const spareBlocks: Buffer<ArrayBuffer>[] = [];

/** Copies pieces into blocks, since each costs some hundred bytes by itself and may be a single one long. */
export function createPieces(): Pieces {
  /** Mostly there is no other, and no block is needed. */
  let first: Buffer | undefined;
  let blocks: Buffer<ArrayBuffer>[] = [];
  let block = NO_BYTES;
  /** Of the last block. */
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
