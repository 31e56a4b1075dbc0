/** The environment and the flags of the process that runs the networks. */
import { childEnvironment } from "../process-environment.ts";

/**
 * Makes glibc ask the kernel for large pages, which halves the time to load gigabytes of weights
 * (`docs/benchmarks.md`); other systems ignore it.
 */
export const LARGE_PAGES = { GLIBC_TUNABLES: "glibc.malloc.hugetlb=1" };

/**
 * Makes glibc give freed blocks from 1 MiB on back to the kernel at once. By itself it raises that threshold to 32 MiB
 * as it goes, and then keeps what loading the weights has left behind: 100 MB for the shipped checkpoint.
 */
const SMALL = { GLIBC_TUNABLES: "glibc.malloc.mmap_threshold=1048576:glibc.malloc.arena_max=2" };

/**
 * V8 keeps three semi-spaces, of 16 MiB each by default, once loading has filled them. The process's own pixels and
 * latents lie outside of V8's heap.
 */
export const ENGINE_FLAGS: readonly string[] = ["--max-semi-space-size=2"];

/**
 * This process's environment, without telemetry. Memory is kept small for the shipped checkpoint, and large pages are
 * used for all others.
 */
export function engineEnvironment(checkpoint: string | undefined): NodeJS.ProcessEnv {
  return childEnvironment(checkpoint === undefined ? SMALL : LARGE_PAGES);
}
