// Runs a TypeScript file of the repository, which Node 20 cannot, once the build is up to date.
// Usage: node scripts/run-ts.mjs FILE [ARGUMENTS]
import { pathToFileURL } from "node:url";
import { compile } from "../tools/compile.mjs";
import { build } from "./build.mjs";

// onnxruntime's telemetry, here and in every process that a measurement starts.
process.env.ORT_DISABLE_TELEMETRY = "1";
// The version is pinned, and works with every Node that the package accepts.
process.env.AWS_SDK_JS_NODE_VERSION_SUPPORT_WARNING_DISABLED = "true";

const [file, ...rest] = process.argv.slice(2);
if (file === undefined) throw new Error("Usage: node scripts/run-ts.mjs FILE [ARGUMENTS]");
build();
const bundle = await compile(file);
process.setSourceMapsEnabled(true);
process.argv.splice(1, Infinity, bundle, ...rest);
await import(pathToFileURL(bundle).href);
