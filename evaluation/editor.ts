/** The engine, asked for what its network draws: the source has the result's size, and that is the network's own. */
import { createEngine, encodePicture, type Engine, type Picture } from "../src/index.ts";
import { decodePicture } from "../src/images/decode.ts";

export interface Order {
  prompt: string;
  seed: number;
  guidance: number;
  numSteps: number;
}

export interface Drawn {
  picture: Picture;
  /** From the encoded source to the encoded result. */
  seconds: number;
}

export interface Editor {
  edit(source: Picture, order: Order): Promise<Drawn>;
  close(): Promise<void>;
}

/** Loads the checkpoint with the first edit. */
export function createEditor(checkpoint: string): Editor {
  let loading: Promise<Engine> | undefined;
  const load = async (): Promise<Engine> => {
    const engine = await createEngine({ checkpoint, safety: { isOn: false } });
    await warmUp(engine);
    return engine;
  };
  return {
    async edit(source, order) {
      loading ??= load();
      const engine = await loading;
      const { width, height } = source;
      const image = await encodePicture(source, "png");
      const result = await engine.edit({ ...order, image, size: { width, height } });
      const { workingSize } = result;
      if (workingSize.width !== width || workingSize.height !== height) {
        throw new Error(
          `${width} x ${height} pixels were asked for, of which the network drew ${workingSize.width} x ${workingSize.height}.`,
        );
      }
      return { picture: await decodePicture(result.image), seconds: result.seconds.total };
    },
    async close() {
      await (await loading)?.close();
    },
  };
}

/** The first edit of a process is slower, and would count as a slow one. */
async function warmUp(engine: Engine): Promise<void> {
  const { nativeSize: side } = engine.checkpoint;
  const source = { width: side, height: side, data: new Uint8Array(3 * side * side).fill(127) };
  await engine.edit({ image: await encodePicture(source, "png"), prompt: "nothing", numSteps: 1, seed: 0 });
}
