/** What the file of a result is to be: format, quality, and what becomes of transparency. */
import { invalid, shownValue } from "../errors.ts";
import { parseColour } from "../images/deep-picture.ts";
import { FORMATS, type OutputFormat } from "../images/output-format.ts";
import type { Rgb } from "../images/picture.ts";
import { EDIT_PARAMETERS } from "./edit-parameters.ts";

/** The background that keeps transparency or is refused. */
export const TRANSPARENT = "transparent";
const PATTERN = new RegExp(EDIT_PARAMETERS.background.pattern);

/** @throws RetouchError INVALID_PARAMETER */
export function backgroundWithin(value: unknown, format: OutputFormat): string {
  const { default: byDefault, accepts } = EDIT_PARAMETERS.background;
  const background = value ?? byDefault;
  if (typeof background !== "string" || !PATTERN.test(background)) {
    throw invalid("oneOf", { field: "background", choices: accepts, given: shownValue(background) });
  }
  checkTransparency(background, format);
  return background;
}

/** @throws RetouchError INVALID_PARAMETER if transparency is to be kept in a format that has none */
export function checkTransparency(background: string, format: OutputFormat): void {
  if (background !== TRANSPARENT || FORMATS[format].hasAlpha) return;
  throw notTransparent(`${FORMATS[format].name} has no transparency`);
}

/** Why transparency cannot be kept. */
export const notTransparent = (reason: string): Error =>
  invalid("forbidden", { field: "background", given: TRANSPARENT, reason });

/** The colour that transparency is laid on before the edit; undefined for white, where it may be kept. */
export const colourOf = (background: string | undefined): Rgb | undefined => parseColour(background ?? "");

/** Whether transparency stays where source and format have it. */
export const isTransparencyKept = (background: string = EDIT_PARAMETERS.background.default): boolean =>
  background === TRANSPARENT || background === EDIT_PARAMETERS.background.default;
