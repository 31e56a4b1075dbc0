/** The parameters of an edit as wire schemas: ranges, defaults and descriptions are the table's. */
import { Type } from "typebox";
import type { ImageLimits } from "../engine/model-traits.ts";
import { MAX_LORA_NAME } from "../config/lora-list.ts";
import {
  type BooleanParameter,
  EDIT_PARAMETERS,
  type PatternParameter,
  type ModelNumberParameter,
  type NumberParameter,
  type NumbersParameter,
  type StringParameter,
} from "../engine/edit-parameters.ts";

/** Describes an alias of a wire field. */
const otherName = (wire: string): string => `Another name of \`${wire}\`.`;

const numberOptions = ({ min, max, default: byDefault, description }: NumberParameter) => ({
  minimum: min,
  maximum: max,
  default: byDefault,
  description,
});

export const integerOf = (parameter: NumberParameter) =>
  Type.Optional(Type.Integer(numberOptions(parameter)));

export const numberOf = (parameter: NumberParameter) => Type.Optional(Type.Number(numberOptions(parameter)));

/** A whole number, or the word that may stand for it. */
export const integerOrAutoOf = (parameter: NumberParameter & { word: "auto" }) =>
  Type.Optional(
    Type.Unsafe<number | "auto">({
      ...numberOptions(parameter),
      type: ["integer", "string"],
      pattern: "^auto$",
    }),
  );

/** The same number under another name, without the default, which the first name has. */
export const numberAlias = ({ min, max, wire }: NumberParameter) =>
  Type.Optional(Type.Number({ minimum: min, maximum: max, description: otherName(wire) }));

export const modelNumberOf = ({ min, max, description }: ModelNumberParameter) =>
  Type.Optional(Type.Integer({ minimum: min, maximum: max, description }));

export const numbersOf = ({ min, max, maxItems, description }: NumbersParameter) =>
  Type.Optional(
    Type.Array(Type.Number({ minimum: min, maximum: max }), { minItems: 1, maxItems, description }),
  );

export const optionalStringOf = ({
  max,
  default: byDefault,
  description,
}: Required<Omit<StringParameter, OtherNames>>) =>
  Type.Optional(Type.String({ maxLength: max, default: byDefault, description }));

export const stringOf = ({ min, max, description }: StringParameter) =>
  Type.String({ minLength: min, maxLength: max, description });

export const booleanOf = ({ default: byDefault, description }: BooleanParameter, more = "") =>
  Type.Optional(Type.Boolean({ default: byDefault, description: `${description}${more}` }));

/** One of several words. */
export const choiceOf = <const Choice extends string>({
  choices,
  default: byDefault,
  description,
}: {
  choices: readonly Choice[];
  default: Choice;
  description: string;
}) =>
  Type.Optional(
    Type.Union(
      choices.map((choice) => Type.Literal(choice)),
      { default: byDefault, description },
    ),
  );

/** A mask, beside the images. */
export const mask = () =>
  Type.Optional(
    Type.String({
      minLength: 1,
      description: `${EDIT_PARAMETERS.mask.description} An http(s) URL, a data URL or base64.`,
    }),
  );

type OtherNames = "aliases" | "flag" | "tool";

/** Those of the table; a tuple has types that a list made from it has not. */
export const FORMAT_NAMES = [
  Type.Literal("png"),
  Type.Literal("jpeg"),
  Type.Literal("webp"),
  Type.Literal("avif"),
] as const;

/** Format of the result; clients spell JPEG both ways. */
const Format = (options: { default?: string; description: string }) =>
  Type.Optional(Type.Union([...FORMAT_NAMES, Type.Literal("jpg")], options));

/** A string of a certain form; a refusal quotes the description. */
export const patternOf = ({ pattern, accepts, default: byDefault }: PatternParameter) =>
  Type.Optional(
    Type.String({ pattern, maxLength: MAX_PATTERN_LENGTH, default: byDefault, description: accepts }),
  );

const MAX_PATTERN_LENGTH = 40;

export function formats() {
  const { wire, default: byDefault, description } = EDIT_PARAMETERS.format;
  return {
    output_format: Format({ default: byDefault, description }),
    image_format: Format({ description: otherName(wire) }),
  };
}

/** @param side the operator's range for a side */
export function sizes(side: { minSide: number; maxSide: number }) {
  const { wire, wireDefault } = EDIT_PARAMETERS.size;
  const { minSide: minimum, maxSide: maximum } = side;
  const oneSide = (other: string) =>
    Type.Optional(
      Type.Integer({ minimum, maximum, description: `With \`${other}\`, another form of \`${wire}\`.` }),
    );
  return {
    size: Type.Optional(
      Type.String({
        pattern: "^\\s*(?:auto|source|\\d{1,5}\\s*[*xX]\\s*\\d{1,5})\\s*$",
        maxLength: MAX_SIZE_LENGTH,
        default: `${wireDefault.width}*${wireDefault.height}`,
        // The refusal of a malformed size quotes this as well.
        description: `width*height, each from ${minimum} to ${maximum}, auto (the image's shape) or source (all of its pixels)`,
      }),
    ),
    width: oneSide("height"),
    height: oneSide("width"),
  };
}

/** Of `size`, with room for spaces. */
export const MAX_SIZE_LENGTH = 40;

export function loras() {
  const { max, scale, description } = EDIT_PARAMETERS.loras;
  const name = (meaning: string) =>
    Type.Optional(Type.String({ minLength: 1, maxLength: MAX_LORA_NAME, description: meaning }));
  return Type.Optional(
    Type.Array(
      Type.Object({
        name: name("Name of a LoRA that this server has."),
        path: name("Another name of `name`."),
        scale: Type.Optional(
          Type.Number({
            minimum: scale.min,
            maximum: scale.max,
            default: scale.default,
            description: "Strength of the LoRA.",
          }),
        ),
      }),
      { maxItems: max, default: [], description },
    ),
  );
}

/** The id of a job. */
export const jobId = (description?: string) =>
  Type.String({ pattern: "^[A-Za-z0-9_-]{1,100}$", ...(description !== undefined && { description }) });

/** Which edit another one continues. */
export function lineage() {
  const { max } = EDIT_PARAMETERS.numImages;
  return {
    parent: Type.Optional(
      // The refusal of a malformed id quotes this as well.
      jobId("the id of a completed edit whose result is edited further; image may then be left out"),
    ),
    parent_image: Type.Optional(
      Type.Integer({
        minimum: 0,
        maximum: max - 1,
        default: 0,
        description: "With `parent`: which of its results to edit, counted from 0.",
      }),
    ),
    from_original: Type.Optional(
      Type.Boolean({
        default: false,
        description:
          "If the image is the result of an earlier edit: whether to edit the original image instead, with all instructions since then and this one.",
      }),
    ),
  };
}

/** On `image`: the field without which the model takes one image alone. */
export const NEEDED_FOR_SEVERAL = "x-needed-for-several";

/**
 * `image`, and `images`, a list: the enclosing schema requires one of the two where the model needs an image.
 * @param options what the model takes per edit
 */
export function images({ maxImages, needsLayout = false }: Omit<ImageLimits, "minImages">) {
  const { wire, description } = EDIT_PARAMETERS.image;
  const several =
    `Further images, after \`${wire}\`; if \`${wire}\` is left out, the first of them is edited. Up to ${maxImages} in all` +
    (needsLayout ? `, more than one with \`${EDIT_PARAMETERS.imageLayout.wire}\`.` : ".");
  const forms = "An http(s) URL, a data URL or base64";
  return {
    image: Type.Optional(
      // A keyword counts only for values of its type.
      Type.Unsafe<string | string[]>({
        type: ["string", "array"],
        minLength: 1,
        items: Type.String({ minLength: 1 }),
        minItems: 1,
        maxItems: maxImages,
        description: `${description} ${forms}, or a list${maxImages === 1 ? " of one" : ` of up to ${maxImages}`}.`,
        ...(needsLayout && { [NEEDED_FOR_SEVERAL]: EDIT_PARAMETERS.imageLayout.wire }),
      }),
    ),
    images: Type.Optional(
      Type.Array(Type.String({ minLength: 1 }), {
        minItems: 1,
        maxItems: maxImages,
        description: maxImages === 1 ? otherName(wire) : several,
      }),
    ),
  };
}
