export interface Fault {
  /** The parser that must find it. */
  target: string;
  /** What was wrong. */
  what: string;
  /** The built module, from `dist`. */
  file: string;
  /** The module's text with the fault in it. @throws Error where the text is not what it replaces */
  change(text: string): string;
}

export const FAULTS: Readonly<Record<string, Fault>>;
