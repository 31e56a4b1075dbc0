/** Profiles of the runtime, and the table that is made of them. What the device does is in test/webgpu/placement.webgpu.ts. */
import { describe, expect, it } from "vitest";
import {
  type Placement,
  readProfile,
  tableIn,
  tableOf,
  withTable,
} from "../../scripts/placement/placement.ts";

const event = (name: string, operator: string, provider: string) => ({
  cat: "Node",
  name,
  args: { op_name: operator, provider },
});

const placement = (network: string, operators: Placement["operators"]): Placement => ({
  checkpoint: "plain",
  network,
  weights: "fp32",
  isAdaptable: false,
  operators,
  difference: 0,
});

describe("a profile", () => {
  it("has where each node ran, and is read by operator", () => {
    const profile = [
      { cat: "Session", name: "model_loading_array", args: {} },
      event("a_kernel_time", "Gemm", "WebGpuExecutionProvider"),
      event("b_kernel_time", "Gemm", "WebGpuExecutionProvider"),
      event("b_fence_before", "Gemm", "WebGpuExecutionProvider"),
      event("c_kernel_time", "Sin", "CPUExecutionProvider"),
    ];
    expect(readProfile(JSON.stringify(profile))).toEqual({ Gemm: { GPU: 2 }, Sin: { CPU: 1 } });
  });

  it("is refused with a provider without a name", () => {
    const profile = JSON.stringify([event("a_kernel_time", "Gemm", "OtherExecutionProvider")]);
    expect(() => readProfile(profile)).toThrow(
      "a_kernel_time on an unknown provider, OtherExecutionProvider",
    );
  });
});

describe("the table", () => {
  const table = tableOf([
    placement("transformer", { Gemm: { GPU: 3 }, Add: { GPU: 1 } }),
    placement("clip", { Gemm: { GPU: 1 } }),
    placement("clip", { Gather: { CPU: 1, GPU: 2 } }),
  ]);

  it("has a row for each operator and a column for each network", () => {
    const cells = table.split("\n").map((line) => line.split("|").map((cell) => cell.trim()));
    expect(cells.map((row) => [row[1], row[2], row[8]])).toEqual([
      ["operator", "`clip`", "`transformer`"],
      ["--------", "--------", "-------------"],
      ["`Add`", "", "GPU"],
      ["`Gather`", "GPU, CPU", ""],
      ["`Gemm`", "GPU", "GPU"],
    ]);
    expect(new Set(table.split("\n").map((line) => line.length)).size).toBe(1);
  });

  it("replaces the one in a page, and nothing else", () => {
    const page = "before\n\n<!-- npm run placement -->\n\nold\n\n<!-- /npm run placement -->\n\nafter\n";
    expect(tableIn(page)).toBe("old");
    expect(withTable(page, table)).toBe(page.replace("old", table));
    expect(() => tableIn("without")).toThrow("The page has no <!-- npm run placement -->.");
  });
});
