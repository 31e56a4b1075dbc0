#!/usr/bin/env node
// The command of the package. In a checkout the build is brought up to date first.
import { existsSync } from "node:fs";

if (existsSync(new URL("../src/", import.meta.url))) {
  const { build } = await import("../scripts/build.mjs");
  build();
}
await import("../dist/cli/main.js");
