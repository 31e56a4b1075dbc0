/** What the safety checker says about a picture. */
export interface SafetyVerdict {
  /** Probability, 0 to 1, that most people would not want to see it unasked. */
  score: number;
  /** From which score on it is refused. */
  threshold: number;
}
