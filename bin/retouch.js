#!/usr/bin/env node
// The command of the package. In a checkout the build is brought up to date first.
import { existsSync } from "node:fs";

// onnxruntime's telemetry, here and in every process that this one starts.
process.env.ORT_DISABLE_TELEMETRY = "1";
// Its version is pinned, and works with every Node that this package accepts.
process.env.AWS_SDK_JS_NODE_VERSION_SUPPORT_WARNING_DISABLED = "true";

if (existsSync(new URL("../src/", import.meta.url))) {
  const { build } = await import("../scripts/build.mjs");
  build();
}
await import("../dist/command/main.js");
