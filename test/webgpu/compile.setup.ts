import path from "node:path";
import type { TestProject } from "vitest/node";
import { compile } from "../../tools/compile.mjs";
import { root } from "../support/fixtures.ts";

/** The edits run in a process of their own, which Node starts. */
export default async function setup(project: TestProject): Promise<void> {
  project.provide("deviceEdit", await compile(path.join(root, "test", "webgpu", "device-edit-process.ts")));
}

declare module "vitest" {
  interface ProvidedContext {
    /** The compiled `device-edit-process.ts`. */
    deviceEdit: string;
  }
}
