/**
 * A model family of one tiny network and two images, as small as one can be: the network mixes both images, and each
 * velocity leads from the noise to the mix. It needs nothing of `src` that another pipeline does not have.
 */
import type { ComponentDefinition } from "../../../src/engine/component.ts";
import type {
  ComponentRunner,
  DrawnImage,
  Editor,
  EditorOptions,
  EditOutcome,
  EditStep,
  Model,
} from "../../../src/engine/model.ts";
import type { ResolvedRequest } from "../../../src/engine/request.ts";
import { planSizes } from "../../../src/engine/sizes.ts";
import { type Picture, pictureToPixels, pixelsToPicture } from "../../../src/images/picture.ts";
import { resizePicture } from "../../../src/images/resize.ts";
import { input } from "../../../src/onnx/graph.ts";
import { concat, conv2d } from "../../../src/onnx/ops.ts";
import type { Pipeline } from "../../../src/pipelines/pipeline.ts";
import { eulerSampler } from "../../../src/sampling/euler.ts";
import { randomNormal } from "../../../src/sampling/random.ts";

const NATIVE = { area: 32 ** 2, grid: 1 };
const FLOAT = 4;

/** Two images [1, 3, h, w] in, one out: a product of their six channels and a matrix at each pixel. */
const MIX: ComponentDefinition = {
  name: "mix",
  weights: "mix",
  folder: "mix",
  build(weights) {
    const images = ["first", "second"].map((name) => input(name, "float32", [1, 3, "height", "width"]));
    return { mixed: conv2d(concat(images, 1), weights.tensor("weight", [3, 6, 1, 1]), undefined) };
  },
  leastPrecision: "fp32",
  workingBytes: ({ target }) => 3 * 3 * target.width * target.height * FLOAT,
  runs: ({ numSteps, target }) => [{ times: numSteps, dims: { ...target } }],
};

export const PIPELINES: readonly Pipeline[] = [
  {
    className: "ExamplePipeline",
    weightFolders: ["mix"],
    minImages: 1,
    maxImages: 2,
    takesMask: false,
    defaultsOf: () => ({ numSteps: 28, guidance: 2 }),
    async components(checkpoint): Promise<Model> {
      return {
        components: [MIX],
        stored: { mix: await checkpoint.weights("mix") },
        native: NATIVE,
        heldBytes: () => 0,
        findLoraTarget: () => undefined,
        createEditor,
      };
    },
  },
];

function createEditor(components: ComponentRunner): Editor {
  return { edit: (images, request, options) => edit(components, images, request, options) };
}

async function* edit(
  components: ComponentRunner,
  images: readonly Picture[],
  request: ResolvedRequest,
  { draws = [{ seed: request.seed }] }: EditorOptions = {},
): AsyncGenerator<EditStep, EditOutcome> {
  const { size, target } = planSizes(images, request.size, NATIVE);
  const { width, height } = target.canvas;
  const [first, second = first] = await Promise.all(
    images.map(async (image) => pictureToPixels(await resizePicture(image, width, height))),
  );
  await components.prepare({
    target: target.canvas,
    references: images.map(() => target.canvas),
    numSteps: request.numSteps,
    isNegativeUsed: false,
  });
  const started = performance.now();
  const shape = [1, 3, height, width];
  const velocity = async ({ latents, sigma }: { latents: Float32Array; sigma: number }) => {
    const { mixed } = await components.run("mix", {
      first: { data: first!, shape },
      second: { data: second!, shape },
    });
    return latents.map((value, index) => (value - (mixed!.data as Float32Array)[index]!) / sigma);
  };
  const sigmas = Float32Array.from(
    { length: request.numSteps + 1 },
    (_, step) => 1 - step / request.numSteps,
  );
  const drawn: DrawnImage[] = [];
  for (const [image, { seed }] of draws.entries()) {
    const steps = eulerSampler(velocity, randomNormal(3 * width * height, seed), { sigmas });
    let next = await steps.next();
    for (; !next.done; next = await steps.next()) {
      const { index, latents, estimate } = next.value;
      const draw = async (): Promise<Picture> => pixelsToPicture(estimate(), width, height);
      const seconds = (performance.now() - started) / 1000;
      yield { step: index + 1, of: request.numSteps, image, seconds, latents, preview: draw, sketch: draw };
    }
    const picture = pixelsToPicture(next.value, width, height);
    drawn.push({ picture: await resizePicture(picture, size.width, size.height) });
  }
  const notices: string[] = [];
  return {
    ...drawn[0],
    images: drawn,
    size,
    workingSize: target.content,
    referenceSize: target.content,
    referenceSizes: [target.content, target.content],
    isNegativeUsed: false,
    notices,
  };
}
