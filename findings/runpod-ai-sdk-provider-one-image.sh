#!/usr/bin/env bash
# @runpod/ai-sdk-provider 1.4.0 with ai 6.0.326.
#
# Of several images that generateImage is given, FLUX.1 Kontext's endpoint gets the first one, and nobody is told: the result has no
# warning, although the provider warns of a mask and of n > 1, and sends all images to endpoints that it does not know by name.
#
# Output on 2026-12-01:
#   black-forest-labs/flux-1-kontext-dev: image=1 images=0 warnings=0
#   own-endpoint: image=0 images=2 warnings=0
set -euo pipefail
folder=$(mktemp -d)
trap 'rm -rf "$folder"' EXIT
cd "$folder"

cat >images.mjs <<'NODE'
import { createRunpod } from "@runpod/ai-sdk-provider";
import { generateImage } from "ai";

const pixel = "iVBORw0KGgoAAAANSUhEUgAAAAEAAAABCAYAAAAfFcSJAAAADUlEQVR42mNk+M9QDwADhgGAWjR9awAAAABJRU5ErkJggg==";
const png = Buffer.from(pixel, "base64");

for (const model of ["black-forest-labs/flux-1-kontext-dev", "own-endpoint"]) {
  let sent;
  const provider = createRunpod({
    apiKey: "none",
    // Answers as the endpoint does, from memory.
    async fetch(url, { body } = {}) {
      if (body === undefined) return new Response(png, { headers: { "content-type": "image/png" } });
      sent = JSON.parse(body).input;
      return Response.json({ id: "1", status: "COMPLETED", output: { image_url: "http://localhost/1.png" } });
    },
  });
  const { warnings } = await generateImage({
    model: provider.image(model),
    prompt: { text: "Put the bird on the table", images: [png, png] },
    size: "1024x1024",
  });
  const { image, images = [] } = sent;
  console.log(`${model}: image=${image === undefined ? 0 : 1} images=${images.length} warnings=${warnings.length}`);
}
NODE

npm install --silent --no-audit --no-fund --ignore-scripts @runpod/ai-sdk-provider@1.4.0 ai@6.0.326
node images.mjs | tee found
diff found - <<'EXPECTED'
black-forest-labs/flux-1-kontext-dev: image=1 images=0 warnings=0
own-endpoint: image=0 images=2 warnings=0
EXPECTED
