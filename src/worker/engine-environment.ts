/** The environment of the process that runs the networks. */
import { childEnvironment } from "../process-environment.ts";

/**
 * Makes glibc ask the kernel for large pages, which halves the time to load gigabytes of weights
 * (`docs/benchmarks.md`); other systems ignore it.
 */
export const LARGE_PAGES = { GLIBC_TUNABLES: "glibc.malloc.hugetlb=1" };

/**
 * This process's environment, without telemetry, and with large pages for all but the shipped checkpoint,
 * which is too small to gain.
 */
export function engineEnvironment(checkpoint: string | undefined): NodeJS.ProcessEnv {
  return childEnvironment(checkpoint === undefined ? {} : LARGE_PAGES);
}
