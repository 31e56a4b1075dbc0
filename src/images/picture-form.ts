/**
 * The form of a file: how its header says that its samples are stored, and what they mean. Every form is either one
 * that docs/pictures.md lists as right, or refused by name: a decoder that does not know a form may draw it wrong
 * without a word.
 */
import type { ColourEncoding } from "./colour-encoding.ts";
import type { AcceptedFormat } from "./format.ts";

export interface PictureForm {
  /** The file, or a copy of it that the decoder reads right. */
  bytes: Uint8Array;
  /** What the samples mean, where the decoder would take them for something else. */
  encoding?: ColourEncoding | undefined;
  /** The profile means nothing, since something else says what the colours are. */
  hasNoProfile?: boolean | undefined;
  /** The colours are multiplied with the alpha, and the decoder does not say so. */
  isPremultiplied?: boolean | undefined;
  /** The channel beside the colours is no alpha. */
  hasNoAlpha?: boolean | undefined;
  /** The part of an opaque picture that its first frame covers; the rest is white. */
  frame?: { left: number; top: number; width: number; height: number } | undefined;
}

/** Continues "The image ..."; `advice` continues "...; ". */
export interface RefusedForm {
  state: string;
  advice: string;
}

/** Advice for most forms. */
export const SAVE_PLAINLY = "save it as PNG, or as JPEG";

export const refusedForm = (name: string, advice = SAVE_PLAINLY): RefusedForm => ({
  state: `is ${name}`,
  advice,
});

export const isRefused = (form: object): form is RefusedForm => "state" in form;

/** Reads the form of a file of one format. */
export type FormReader = (bytes: Uint8Array) => PictureForm | RefusedForm;
export type FormReaders = Readonly<Record<AcceptedFormat, FormReader>>;
