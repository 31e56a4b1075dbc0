/** Names of repositories and of their files: which ones may appear in a URL and in a cache path. */
import { RetouchError, shownValue } from "../errors.ts";

export interface Repository {
  /** `org/name` */
  readonly name: string;
  /** A branch, a tag or a commit. */
  readonly revision: string;
}

/** The published weights. */
export const PUBLISHED = "black-forest-labs/FLUX.1-Kontext-dev";
export const MAIN = "main";

const MAX_NAME_LENGTH = 96;
const NAME = /^[A-Za-z0-9_.-]+\/[A-Za-z0-9_.-]+$/;
/** Neither part may begin or end with a dot or a dash. */
const RAGGED = /^[.-]|[.-]\/|\/[.-]|[.-]$/;
/** Sequences that would make a name ambiguous in a cache, or escape from it. */
const AMBIGUOUS = /--|\.\./;
const COMMIT = /^[0-9a-f]{40}$/;
const CONTROL_OR_BACKSLASH = /[\p{Cc}\\:]/u;

export const isRepositoryName = (text: string): boolean =>
  text.length <= MAX_NAME_LENGTH && NAME.test(text) && !RAGGED.test(text) && !AMBIGUOUS.test(text);
export const isCommit = (text: string): boolean => COMMIT.test(text);

/** Whether a name with slashes stays inside the folder that it is joined to. */
export function isInside(name: string): boolean {
  const parts = name.split("/");
  return !CONTROL_OR_BACKSLASH.test(name) && parts.every((part) => !["", ".", ".."].includes(part));
}

/** @throws RetouchError INVALID_PARAMETER */
export function checkRepository({ name, revision }: Repository): void {
  if (!isRepositoryName(name)) {
    throw new RetouchError(
      "INVALID_PARAMETER",
      `<repo> must be the name of a repository such as ${PUBLISHED}, not ${shownValue(name)}.`,
    );
  }
  if (!isInside(revision) || revision.length > 200) {
    throw new RetouchError(
      "INVALID_PARAMETER",
      `--revision must be a branch, a tag or a commit, not ${shownValue(revision)}.`,
    );
  }
}
