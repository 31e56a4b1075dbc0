/** The safety checker's verdict on an image. */
export interface SafetyVerdict {
  /** Probability, 0 to 1, that most people would not want to see it unasked. */
  score: number;
  /** The score from which it is refused. */
  threshold: number;
}
