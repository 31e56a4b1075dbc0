/**
 * What each kind of failure says. A failure is data: its kind and the values that fill the sentence. `{field}` and
 * `{other}` are parameters, by the library's names for them; each surface (command, wire, tool) puts its own name there.
 * `{image}` is the image that the failure is about: the request's field, or its source where that has a name.
 */
export const SENTENCES = {
  /** A failure that is about one thing only: the sentence itself. */
  sentence: "{sentence}",
  /** The same about a field. */
  about: "{field}: {sentence}",
  state: "{field} {sentence}",

  missing: "{field} is missing.",
  misplaced: "{field} is missing; {hint}.",
  empty: "{field} must not be empty.",
  type: "{field} must be {wanted}.",
  range: "{field} must be {wanted} from {min} to {max}, not {given}.",
  within: "{field} must be {wanted} from {min} to {max}.",
  above: "{field} must be a number above {min}, not {given}.",
  oneOf: "{field} must be {choices}, not {given}.",
  oneImage:
    "{field} must be one image, not {given}, because the model was trained on one; {other} {choices} accepts several anyway.",
  tooLong: "{field} must have at most {max} characters, not {count}.",
  tooMany: "{field} must be a list of at most {max}.",
  together: "{field} and {other} must be given together.",
  notTogether: "{field} and {other} must not be given together.",
  onlyWith: "{field} must not be given without {other}.",
  notMore: "{field} ({given}) must not be more than {other} ({max}).",
  atMostHalf: "{field} ({given}) must be at most half of {other} ({max}).",
  least: "{field} must be at least {min} here.",
  needed: "{field} must be set: {reason}.",
  atLeast: "{field} ({given}) must be at least {min}.",
  unsupported: "{field} is not supported: {reason}.",
  forbidden: "{field} must not be {given}: {reason}.",
  contradiction: "{field} {given} contradicts the name in {other} {name}.",
  unclearFormat:
    "{field} {given} does not end in .png, .jpg, .webp or .avif (or give the format with {other}).",
  taken:
    "{field} {given} already exists, and this server did not write it or it has been changed since; choose another name (retouch mcp --overwrite replaces it).",
  outside: "{field} must be in {root}, the folder that this server may use (--root).",
  replaced: "{field} was replaced while it was being opened.",
  unknownArgument: "{field} is not an argument of this tool.",
  unknownLora: "{field}: there is no LoRA {given}; {known}.",
  device: "{field} {given} cannot be used: {reason}.",

  url: "{field} must be an http or https URL.",
  urlLogin: "{field} must not be a URL with a user name or password.",
  privateUrl:
    "{field}: the address of {host} is not public, and RETOUCH_ALLOW_PRIVATE_HOSTS does not allow it.",
  hosts: "{field} must name hosts, addresses or networks, not {given}.",

  imageEmpty: "{image} is empty (0 bytes).",
  imageUnknown: "{image} is not an image; {accepted} are accepted.",
  imageFormat: "{image} {state}, which is not accepted; {advice}.",
  imageDamaged: "{image} is damaged or cut short: its {format} data cannot be decoded.",
  imagePixels: "{image} has {width} x {height} = {pixels} pixels; at most {max} are accepted.",
  imageBytes: "{image} is larger than the limit of {max}.",
  imageUnreadable: "{image} cannot be read: {reason}.",
  imageDownload: "{image} cannot be downloaded: {reason}.",
  imageNoData: "{image} holds no data.",
  imageUrl: "{image} is not a valid URL.",
  imageUrlLong: "{image} is a URL of more than {max} characters.",
  imageFileUrl: "{image} is not a valid file URL.",

  flagged:
    "The safety checker refused the result: it looks pornographic (score {score}, refused from {threshold}).",
  loraInvalid: "{field}: the file of the LoRA {name} is missing or damaged, or does not fit the network.",
  loraUnsupported: "{field}: the file of the LoRA {name} is of a kind that cannot be used.",
  file: "The {what} {file} {fault}.",
  unwritable: "{file} cannot be written: {reason}.",
  estimate:
    "{field}: this edit takes about {estimate} here, and its limit is {limit}; ask for fewer steps, a smaller size or a higher limit.",

  setting: "{field} must be {accepts}, not {given}.",
  settingSecret: "{field} must be {accepts}.",
  settingFile: "{field} must name a file that holds {accepts}.",
  secretFlag:
    "{field} is not offered, because other users of this machine can see its command lines; set {other} in the environment or in .env.",
  settingUnknown: "{field} is not a setting.",
  settingMisspelt: "{field} is not a setting; did you mean {other}?",
  settingNotFromFile: "{field} is not a setting: {other} is not read from a file.",
  dotenvLine: ".env: line {line} {fault}.",
  folder: "{field}: {folder} cannot be used: {reason}.",
  noService:
    "There is no service in {folder} ({field}): start it there with `retouch serve`, or name its folder with --data-dir.",
  portInUse: "{field}: the port {port} is in use; choose another one, such as {field}={next}.",
  database: "{field}: the database {event} ({reason}).",
  embeddedDatabase: "The embedded database {event} ({reason}).",
  undecided:
    "{field}: the database {event} ({reason}); what was being written may or may not have been stored.",
  embeddedUndecided:
    "The embedded database {event} ({reason}); what was being written may or may not have been stored.",
} as const;

export type FailureKind = keyof typeof SENTENCES;
export type FailureValue = string | number;

/** Names of the slots of a template. */
type SlotOf<Template extends string> = Template extends `${string}{${infer Slot}}${infer Rest}`
  ? Slot | SlotOf<Rest>
  : never;

/** What fills the sentence of a kind. An image may have a `source`, such as its path; a field a `place`, such as .env. */
export type FailureValues<Kind extends FailureKind> = {
  readonly [Slot in Exclude<SlotOf<(typeof SENTENCES)[Kind]>, "image">]: FailureValue;
} & {
  readonly source?: string | undefined;
  readonly place?: string | undefined;
};

/** One failure as data: it can be sent to another process and kept in a row. */
export interface Failure {
  readonly kind: FailureKind;
  readonly values: Readonly<Record<string, FailureValue | undefined>>;
}

/** Makes a failure of a kind, with every value that its sentence needs. */
export function failure<Kind extends FailureKind>(kind: Kind, values: FailureValues<Kind>): Failure {
  return { kind, values };
}

/** The parameter that a failure is about, by the library's name for it. */
export function fieldOf({ kind, values }: Failure): string | undefined {
  const { field } = values;
  if (field !== undefined) return String(field);
  // A row of another version may have a kind that is not known here.
  const template: string | undefined = SENTENCES[kind];
  return template?.includes("{image}") ? "image" : undefined;
}
