/** Converts a network whose numbers stop coming half-way, and waits to be killed. Argument: the file. */
import { quantize } from "../../dist/quantize/quantize.js";

const source = {
  name: "network",
  byteLength: 1,
  *weights() {
    const shape = [4, 128];
    yield { key: "up.weight", shape, rows: async () => new Float32Array(512).fill(1) };
    yield {
      key: "down.weight",
      shape,
      rows: () => {
        process.send("half");
        return new Promise(() => setInterval(() => {}, 1000));
      },
    };
  },
};

await quantize(source, "int8", process.argv[2], { hash: "0".repeat(64) });
