/** A network alone, wherever its weights lie. */
import { serialise, type Value } from "./graph.ts";

/** The bytes of its model without the places of its weights in their files. */
export const graphOf = (name: string, outputs: Readonly<Record<string, Value>>): Uint8Array =>
  serialise(name, outputs, (data) =>
    data.kind === "external" ? { ...data, location: "", byteOffset: 0 } : data,
  ).model;
