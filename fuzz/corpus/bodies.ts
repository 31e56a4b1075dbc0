/** Valid bodies of every kind that the service takes. */

/** The smallest PNG, 1 x 1. */
export const PIXEL =
  "iVBORw0KGgoAAAANSUhEUgAAAAEAAAABCAYAAAAfFcSJAAAADUlEQVR42mNk+M9QDwADhgGAWjR9awAAAABJRU5ErkJggg==";

/** Of /run and /runsync. */
export const JOB_BODIES: readonly unknown[] = [
  {
    input: {
      prompt: "a red hat",
      negative_prompt: "blurry",
      image: `data:image/png;base64,${PIXEL}`,
      size: "1024*768",
      num_inference_steps: 28,
      guidance: 2.5,
      seed: 7,
      output_format: "png",
      enable_safety_checker: true,
      enable_base64_output: false,
      enable_preview: false,
      keep_unchanged: false,
      true_cfg_scale: 2,
    },
    policy: { executionTimeout: 60_000, ttl: 600_000, lowPriority: false },
    webhook: "https://hooks.example/done",
  },
  { input: { prompt: "h\u00fctte \u{1f3e0}", image: PIXEL, loras: [{ name: "ink", scale: 0.5 }] } },
  {
    input: { prompt: "night", images: ["https://pictures.example/bird.png"], size: "512x512" },
    s3Config: {
      accessId: "an-id",
      accessSecret: "its-secret",
      bucketName: "pictures",
      endpointUrl: "https://s3.example.com",
      objectPath: "out/bird.png",
    },
    webhookV2: "",
  },
];

/** Of /v1/images/edits. */
export const OPENAI_BODIES: readonly unknown[] = [
  {
    prompt: "a red hat",
    model: "gpt-image-1",
    images: [{ image_url: `data:image/png;base64,${PIXEL}` }],
    n: 2,
    size: "1024x1024",
    quality: "high",
    response_format: "url",
    background: "auto",
    input_fidelity: "high",
    moderation: "auto",
    output_format: "jpeg",
    output_compression: 100,
    partial_images: 0,
    stream: false,
    user: "somebody",
    seed: 3,
  },
  { prompt: "night", image: PIXEL },
];
