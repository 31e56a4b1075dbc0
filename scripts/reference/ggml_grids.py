"""Prints `src/weights/ggml/grids.ts`: the tables of ggml's IQ types, as PyPI `gguf` has them, packed as there.

Usage: python scripts/reference/ggml_grids.py > src/weights/ggml/grids.ts
"""

from __future__ import annotations

import base64
import hashlib
import textwrap

import numpy as np
from gguf import quants

GRIDS = ("IQ1_S", "IQ2_XXS", "IQ2_XS", "IQ2_S", "IQ3_XXS", "IQ3_S")
HEAD = '''/**
 * The tables of ggml's IQ types (ggml-org/llama.cpp, `ggml/src/ggml-common.h`, MIT License): in base64, the index of
 * each number in a short list of values, in the order of the low bits first. Written by
 * `scripts/reference/ggml_grids.py`; `test/fixtures/gguf/grids.json` has their hashes.
 */

/** A table of rows of `width` numbers. */
export interface PackedGrid {
  values: readonly number[];
  width: number;
  /** Bits per index. */
  bits: 2 | 4;
  packed: string;
}
'''


def grid_hashes() -> dict[str, str]:
    """Give the SHA-256 of each whole table, a signed byte a number."""
    hashes = {}
    for name in GRIDS:
        grid = getattr(quants, name)
        grid.init_grid()
        hashes[name] = hashlib.sha256(grid.grid.astype(np.int8).tobytes()).hexdigest()
    return hashes


def main() -> None:
    print(HEAD, end="")
    for name in GRIDS:
        grid = getattr(quants, name)
        bits = 2 if len(grid.grid_map) <= 4 else 4
        packed = base64.b64encode(bytes.fromhex(grid.grid_hex.decode())).decode()
        print(f"\nexport const {name}_GRID: PackedGrid = {{")
        print(f"  values: [{', '.join(map(str, grid.grid_map))}],\n  width: {grid.grid_shape[1]},\n  bits: {bits},")
        print("  packed: [")
        for line in textwrap.wrap(packed, 104):
            print(f'    "{line}",')
        print('  ].join(""),\n};')


if __name__ == "__main__":
    main()
