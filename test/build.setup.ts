import { build } from "../scripts/build.mjs";

/** The tests of the command line run what a user runs: the build. */
export default function setup(): void {
  console.log(`Node ${process.version}`);
  build();
}
