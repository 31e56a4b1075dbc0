/** Combines several LoRAs: their ranks add up, and every factor goes into B. */
import type { Adapter } from "../models/adapters.ts";
import type { Lora, LoraLayer } from "./read-lora.ts";

export interface ScaledLora {
  lora: Lora;
  scale: number;
}

export function joinLoras(loras: readonly ScaledLora[]): Map<string, Adapter> {
  const layers = new Set(loras.flatMap(({ lora }) => [...lora.layers.keys()]));
  return new Map(
    Array.from(layers, (layer) => {
      const scaled = loras.flatMap(({ lora, scale }) => {
        const adapter = lora.layers.get(layer);
        return adapter ? [{ ...adapter, factor: adapter.factor * scale }] : [];
      });
      return [layer, joinLayer(scaled)];
    }),
  );
}

/** Concatenates A's rows and, in each row of B, its columns. */
function joinLayer(adapters: readonly LoraLayer[]): Adapter {
  const [first, ...others] = adapters as [LoraLayer, ...LoraLayer[]];
  const rank = adapters.reduce((sum, adapter) => sum + adapter.rank, 0);
  const rows = first.up.length / first.rank;
  const up = new Float32Array(rows * rank);
  let column = 0;
  for (const adapter of adapters) {
    for (let row = 0; row < rows; row += 1) {
      for (let index = 0; index < adapter.rank; index += 1) {
        up[row * rank + column + index] = adapter.factor * adapter.up[row * adapter.rank + index]!;
      }
    }
    column += adapter.rank;
  }
  if (others.length === 0) return { rank, down: first.down, up };
  const down = new Float32Array(adapters.reduce((sum, adapter) => sum + adapter.down.length, 0));
  let offset = 0;
  for (const adapter of adapters) {
    down.set(adapter.down, offset);
    offset += adapter.down.length;
  }
  return { rank, down, up };
}
