/** The other side: diffusers' own pipeline in a Python process. */
import { execFileSync } from "node:child_process";
import { inRepository } from "../../tools/paths.ts";
import type { SideCommand, SideSettings } from "./side.ts";

/** How diffusers is run. The goals are for eager float32, since Retouch computes in float32. */
export const VARIANTS = {
  fp32: { description: "eager, float32", args: ["--dtype", "float32"] },
  bf16: { description: "eager, bfloat16", args: ["--dtype", "bfloat16"] },
  compiled: { description: "torch.compile, float32", args: ["--dtype", "float32", "--compile"] },
  "compiled-bf16": { description: "torch.compile, bfloat16", args: ["--dtype", "bfloat16", "--compile"] },
} as const;

export type Variant = keyof typeof VARIANTS;

/** The versions of the other side's packages. */
export function pythonVersions(python: string): Record<string, string> {
  const program =
    "import json, platform; from importlib.metadata import version; " +
    "names = ['torch', 'diffusers', 'transformers']; " +
    "print(json.dumps({'python': platform.python_version(), **{name: version(name) for name in names}}))";
  return JSON.parse(execFileSync(python, ["-c", program], { encoding: "utf8" })) as Record<string, string>;
}

export function diffusersSide(
  python: string,
  variant: Variant,
  { checkpoint, threads }: SideSettings,
): SideCommand {
  const { description, args } = VARIANTS[variant];
  const script = inRepository("bench", "diffusers_edit.py");
  return {
    name: `diffusers (${description})`,
    command: python,
    args: [script, checkpoint, "--threads", String(threads), ...args],
  };
}
