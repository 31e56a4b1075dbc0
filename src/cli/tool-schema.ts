/** Arguments of a tool as JSON schemas. */

export const text = (description: string) => ({ type: "string", description });

/** A number, or the word that may stand for it. */
export const typeOf = ({ type, word }: { type: "integer" | "number"; word?: "auto" }) =>
  word === undefined ? { type } : { type: [type, "string"], pattern: "^auto$" };

export const number = (parameter: {
  type: "integer" | "number";
  word?: "auto";
  min: number;
  max: number;
  default: number;
  description: string;
}) => {
  const { min, max, default: byDefault, description } = parameter;
  return { ...typeOf(parameter), minimum: min, maximum: max, default: byDefault, description };
};

export const choice = (parameter: { choices: readonly string[]; default: string; description: string }) => {
  const { choices, default: byDefault, description } = parameter;
  return { type: "string", enum: choices, default: byDefault, description };
};

/** A whole number without a default. */
export const modelNumber = ({
  min,
  max,
  description,
}: {
  min: number;
  max: number;
  description: string;
}) => ({
  type: "integer",
  minimum: min,
  maximum: max,
  description,
});
