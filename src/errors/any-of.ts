/** Choices as a sentence lists them: "a", "a or b", "a, b or c". */
export const anyOf = (choices: readonly string[]): string => LIST.format(choices);

/** British English has no comma before "or". */
const LIST = new Intl.ListFormat("en-GB", { type: "disjunction" });
