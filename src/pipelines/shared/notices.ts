/** What the user should know of an edit, as sentences. */

/** @param name of the text @param numTokens what was read of it */
export const cutNotice = (name: string, numTokens: number): string =>
  `The ${name} is longer than the ${numTokens} tokens that this checkpoint reads; its end was cut off.`;
