/** The environment of the process that has the networks. */
import { childEnvironment } from "../process-environment.ts";

/**
 * glibc then asks the kernel for large pages, which halves the time in which gigabytes of weights are loaded
 * (`docs/benchmarks.md`); other systems ignore it.
 */
export const LARGE_PAGES = { GLIBC_TUNABLES: "glibc.malloc.hugetlb=1" };

/** What this process has, no telemetry, and large pages for all but the checkpoint that ships, which is too small to gain by them. */
export function engineEnvironment(checkpoint: string | undefined): NodeJS.ProcessEnv {
  return childEnvironment(checkpoint === undefined ? {} : LARGE_PAGES);
}
