/** Begins with the files that take longest: begun last, each would keep one worker busy while the others have nothing to do. */
import path from "node:path";
import { BaseSequencer, type TestSpecification } from "vitest/node";
import { LONGEST } from "./longest.ts";

export default class LongestFirst extends BaseSequencer {
  override async sort(files: TestSpecification[]): Promise<TestSpecification[]> {
    const { root } = this.ctx.config;
    const place = ({ moduleId }: TestSpecification): number => {
      const found = LONGEST.indexOf(path.relative(root, moduleId).split(path.sep).join("/"));
      return found === -1 ? LONGEST.length : found;
    };
    // oxlint-disable-next-line unicorn/no-array-sort -- it is no array's.
    const sorted = await super.sort(files);
    return sorted.toSorted((one, other) => place(one) - place(other));
  }
}
