/** Requests and answers of other providers' families, as `examples.ts` has them. */
import type { ExampleContext, OperationExamples } from "./operation-examples.ts";

const TASK_ID = "6fd3d0f1-3f7c-4d0c-9a56-0d1bfa0c9d1e-u1";
const STARTED = 1796030100;
const MODEL = "black-forest-labs/flux-kontext-dev";

export function providerExamples({ server }: ExampleContext): Readonly<Record<string, OperationExamples>> {
  const image = `${server}/examples/bluebird.png`;
  const sample = `${server}/files/5f0c2a1b9d3e4f67.png?expires=1796169600&signature=0kq1mXl2Zb3cYd4eWf5gVh6i`;
  const address = `${server}/replicate/v1/predictions/${TASK_ID}`;
  const input = { prompt: "Make it night", input_image: image, seed: 8 };
  const prediction = {
    id: TASK_ID,
    model: MODEL,
    version: MODEL,
    status: "starting",
    input,
    logs: "",
    created_at: "2026-11-30T09:15:00.000Z",
    data_removed: false,
    source: "api",
    urls: { get: address, cancel: `${address}/cancel` },
  };
  const succeeded = {
    ...prediction,
    status: "succeeded",
    output: sample,
    started_at: "2026-11-30T09:15:00.009Z",
    completed_at: "2026-11-30T09:15:01.130Z",
    metrics: { predict_time: 1.121, total_time: 1.13 },
  };
  return {
    "/bfl/v1/{model}": {
      parameters: { model: "flux-kontext-pro" },
      body: { ...input, aspect_ratio: "1:1", output_format: "png" },
      answer: { id: TASK_ID, polling_url: `${server}/bfl/v1/get_result?id=${TASK_ID}` },
    },
    "/bfl/v1/get_result": {
      parameters: { id: TASK_ID },
      answer: {
        id: TASK_ID,
        status: "Ready",
        progress: 1,
        result: {
          sample,
          prompt: input.prompt,
          seed: input.seed,
          start_time: STARTED,
          end_time: STARTED + 1.121,
          duration: 1.121,
        },
      },
    },
    "/replicate/v1/models/{owner}/{name}/predictions": {
      parameters: { owner: "black-forest-labs", name: "flux-kontext-dev", prefer: "wait=60" },
      body: { input },
      answer: prediction,
    },
    "/replicate/v1/predictions": {
      parameters: { prefer: "wait=60" },
      body: { version: MODEL, input },
      answer: prediction,
    },
    "/replicate/v1/predictions/{id}": { parameters: { id: TASK_ID }, answer: succeeded },
    "/replicate/v1/predictions/{id}/cancel": {
      parameters: { id: TASK_ID },
      answer: { ...prediction, status: "canceled" },
    },
  };
}
