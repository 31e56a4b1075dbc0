/** What the safety checker says of an image, and what it was. */
export interface SafetyVerdict {
  /** Probability, 0 to 1, that most people would not want to see it unasked. */
  score: number;
  /** The score from which it is refused. */
  threshold: number;
  /** Only where the score reaches the threshold, and the caller keeps such images. */
  isFlagged?: true | undefined;
}

/** By what the network of a checker is known. */
export interface CheckerIdentity {
  /** Its architecture, such as `MobileNetV2`. */
  name: string;
  /** SHA-256 of its weights, in hex. */
  sha256: string;
}
