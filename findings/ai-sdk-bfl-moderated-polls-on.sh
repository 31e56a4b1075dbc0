#!/usr/bin/env bash
# @ai-sdk/black-forest-labs 2.0.41 with ai 7.0.173.
#
# Black Forest Labs' API ends a task with one of the statuses Ready, Error, Request Moderated, Content Moderated or Task not
# found. The provider counts Request Moderated as a known status that is not an end: it asks again until its own time is up,
# five minutes by default, and then says that the generation timed out. Content Moderated is none that it knows: the answer is
# then an "Invalid JSON response". Nobody learns of moderation either way.
#
# Output on 2026-12-01, with a limit of 20 polls:
#   Request Moderated: Black Forest Labs generation timed out. (20 polls)
#   Content Moderated: Invalid JSON response (1 poll)
#   Error: Black Forest Labs generation failed. (1 poll)
set -euo pipefail
folder=$(mktemp -d)
trap 'rm -rf "$folder"' EXIT
cd "$folder"

cat >package.json <<'JSON'
{ "private": true, "type": "module" }
JSON
npm install --silent --no-audit --no-fund --ignore-scripts ai@7.0.173 @ai-sdk/black-forest-labs@2.0.41
cat >polls.js <<'JS'
import { createServer } from "node:http";
import { createBlackForestLabs } from "@ai-sdk/black-forest-labs";
import { generateImage } from "ai";

for (const status of ["Request Moderated", "Content Moderated", "Error"]) {
  let polls = 0;
  const server = createServer((request, response) => {
    const isPoll = request.method === "GET";
    if (isPoll) polls += 1;
    const { port } = server.address();
    const submitted = { id: "1", polling_url: `http://127.0.0.1:${port}/v1/get_result?id=1` };
    response.setHeader("content-type", "application/json");
    response.end(JSON.stringify(isPoll ? { id: "1", status, result: null } : submitted));
  });
  await new Promise((resolve) => server.listen(0, "127.0.0.1", resolve));
  const baseURL = `http://127.0.0.1:${server.address().port}/v1`;
  const provider = createBlackForestLabs({ apiKey: "x", baseURL, pollIntervalMillis: 10, pollTimeoutMillis: 200 });
  const message = await generateImage({ model: provider.image("flux-kontext-pro"), prompt: "a bird", maxRetries: 0 }).then(
    () => "an image",
    (error) => error.message,
  );
  console.log(`${status}: ${message} (${polls} poll${polls === 1 ? "" : "s"})`);
  server.close();
}
JS
node polls.js | tee found
diff found - <<'EXPECTED'
Request Moderated: Black Forest Labs generation timed out. (20 polls)
Content Moderated: Invalid JSON response (1 poll)
Error: Black Forest Labs generation failed. (1 poll)
EXPECTED
