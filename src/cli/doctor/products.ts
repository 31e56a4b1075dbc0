/** What products of matrices are computed in on the processor where float32 weights fit and nobody chose. */
import type { ShapeChoice } from "../../index.ts";
import type { Section } from "./section.ts";

/** How the kernels are called where they are shown. */
const NAMES = { float32: "float32", rows: "8 bits", blocks: "8 bits in blocks" } as const;

export function productSection(shapes: readonly ShapeChoice[]): Section {
  return {
    title: "Products on the processor without --weights, where float32 fits",
    name: "products",
    lines: [
      ...shapes.map((shape) => [`${shape.columns} by ${shape.size}`, textOf(shape)] as const),
      shapes.length === 0
        ? "All are computed in float32: of this model nothing may be rounded."
        : "Measured now, with all threads; --weights fp32 always computes in float32.",
    ],
    facts: shapes,
  };
}

/** "8 bits, 2.1 times as fast as float32 (8 bits in blocks: 1.3)", or of float32 what the others are. */
function textOf({ kernel, seconds }: ShapeChoice): string {
  const { float32 = 0 } = seconds;
  const timesAsFast = (name: keyof typeof NAMES): string => (float32 / seconds[name]!).toFixed(1);
  const others = (Object.keys(NAMES) as (keyof typeof NAMES)[])
    .filter((name) => name !== kernel && name !== "float32" && seconds[name] !== undefined)
    .map((name) => `${NAMES[name]}: ${timesAsFast(name)}`);
  const beside = others.length > 0 ? ` (${others.join(", ")})` : "";
  return kernel === "float32"
    ? `float32${beside}`
    : `${NAMES[kernel]}, ${timesAsFast(kernel)} times as fast as float32${beside}`;
}
