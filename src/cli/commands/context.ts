/** What the commands are given by the process that they run in. */
export interface CommandContext {
  /** Ends when the user or the system asks for it. */
  readonly signal: AbortSignal;
  /** Sets what is said at that moment. */
  setStopSentence(sentence: string): void;
}
