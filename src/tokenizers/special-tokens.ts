/**
 * Which tokens a folder adds, and which of them begin, end and pad a text: as transformers 5 gathers them from
 * `tokenizer_config.json`, `special_tokens_map.json`, `added_tokens.json` and `tokenizer.json`. The order of its steps
 * decides between files that disagree, so the steps here are its own (`PreTrainedTokenizerBase._from_pretrained`, then
 * the constructors from the class outwards).
 */
import type { AddedToken } from "./added-vocabulary.ts";
import { type Fields, invalid, isObject } from "./check-definition.ts";
import {
  asAdded,
  contentOf,
  convertToken,
  isSame,
  newToken,
  type StoredToken,
  type TokenValue,
} from "./token-values.ts";

/** The roles that every class knows, in its order. */
export const ROLES = [
  "bos_token",
  "eos_token",
  "unk_token",
  "sep_token",
  "pad_token",
  "cls_token",
  "mask_token",
] as const;

/** What the files of a folder say about tokens. */
export interface TokenFiles {
  /** The names of the files, for refusals. */
  names: { config: string; specialTokens: string; addedTokens: string; definition: string };
  config: Fields;
  /** Undefined where the file is missing; the same for the others. */
  specialTokens: Fields | undefined;
  addedTokens: Fields | undefined;
  definition: Fields | undefined;
}

/** A folder's fields as the class's constructor gets them. */
export interface GatheredFields {
  fields: Record<string, unknown>;
  /** In the order of their ids in the files. */
  added: StoredToken[];
}

/** @throws RetouchError CHECKPOINT_INVALID where the reference's class cannot be made from the files either */
export function gatherFields(files: TokenFiles): GatheredFields {
  const fields: Record<string, unknown> = { ...files.config };
  renameAdditional(fields);
  collectOwnRoles(fields);
  const added = new Map<number | string, StoredToken>();
  const byContent = new Map<string, StoredToken>();
  const add = (id: number | string, token: StoredToken): void => {
    added.set(id, token);
    byContent.set(token.content, token);
  };
  if (Object.hasOwn(fields, "added_tokens_decoder")) readDecoder(files, add);
  else readOlderFiles(files, fields, add);
  for (const [name, value] of Object.entries(fields)) {
    if (name !== "added_tokens_decoder") fields[name] = convertToken(files.names.config, name, value);
  }
  for (const role of ROLES) {
    const content = contentOf(fields[role]);
    if (content !== undefined) fields[role] = byContent.get(content) ?? fields[role];
  }
  const ids = [...added.keys()];
  if (new Set(ids.map((id) => typeof id)).size > 1) {
    throw invalid(
      files.names.addedTokens,
      "the ids must be numbers",
      ids.find((id) => typeof id === "string"),
    );
  }
  const inOrder = [...added].toSorted(([a], [b]) => (a < b ? -1 : a > b ? 1 : 0));
  return { fields, added: inOrder.map(([, token]) => token) };
}

/** The older name of the list. */
function renameAdditional(fields: Record<string, unknown>): void {
  if (!Object.hasOwn(fields, "additional_special_tokens") || isTruthy(fields["extra_special_tokens"])) return;
  fields["extra_special_tokens"] = fields["additional_special_tokens"];
  delete fields["additional_special_tokens"];
}

/** Roles that only this folder has, such as `image_token`. */
function collectOwnRoles(fields: Record<string, unknown>): void {
  const own: Record<string, unknown> = {};
  for (const [name, value] of Object.entries(fields)) {
    if (!name.endsWith("_token") || typeof value !== "string" || isRole(name)) continue;
    own[name] = value;
    delete fields[name];
  }
  const extra = fields["extra_special_tokens"];
  if (isObject(extra)) {
    Object.assign(own, extra);
    delete fields["extra_special_tokens"];
  }
  if (Object.keys(own).length > 0) fields["model_specific_special_tokens"] = own;
}

function readDecoder(files: TokenFiles, add: (id: number, token: StoredToken) => void): void {
  const file = files.names.config;
  const decoder = files.config["added_tokens_decoder"];
  if (!isObject(decoder)) throw invalid(file, "added_tokens_decoder must be an object", decoder);
  for (const [id, value] of Object.entries(decoder)) {
    if (!/^[+-]?\d+$/.test(id))
      throw invalid(file, "added_tokens_decoder must have numbers for names, and one", id);
    add(Number(id), newToken(file, `added_tokens_decoder.${id}`, value));
  }
}

/** The files before there was `added_tokens_decoder`; each overrules the one before. */
function readOlderFiles(
  files: TokenFiles,
  fields: Record<string, unknown>,
  add: (id: number | string, token: StoredToken) => void,
): void {
  for (const [name, value] of Object.entries(files.specialTokens ?? {})) {
    fields[name] = fromSpecialTokens(files.names.specialTokens, name, value, fields[name]);
  }
  const extra = fields["extra_special_tokens"];
  if (isObject(extra)) {
    const own = fields["model_specific_special_tokens"];
    fields["model_specific_special_tokens"] = { ...(isObject(own) ? own : {}), ...extra };
    delete fields["extra_special_tokens"];
  }
  const special = new Set(ROLES.map((role) => contentOf(fields[role])));
  const listed = fields["extra_special_tokens"];
  if (Array.isArray(listed)) for (const token of listed) special.add(contentOf(token));
  for (const [content, id] of Object.entries(files.addedTokens ?? {})) {
    if (typeof id !== "number" && typeof id !== "string") {
      throw invalid(files.names.addedTokens, `${content} must be an id`, id);
    }
    const isSpecial = special.has(content);
    add(id, newToken("", "", { content, special: isSpecial, normalized: !isSpecial }));
  }
  if (files.definition === undefined) return;
  const listedThere = files.definition["added_tokens"];
  if (!Array.isArray(listedThere))
    throw invalid(files.names.definition, "added_tokens must be a list", listedThere);
  // `checkDefinition` has seen that all of them have ids.
  for (const { id, ...token } of listedThere as { id: number }[]) {
    add(id, newToken(files.names.definition, `added_tokens (${id})`, token));
  }
}

function fromSpecialTokens(file: string, name: string, value: unknown, before: unknown): unknown {
  if (name === "extra_special_tokens" && Array.isArray(value)) {
    const tokens: unknown[] = Array.isArray(before) ? [...before] : [];
    for (const item of value) {
      // The reference passes it twice, and fails.
      if (isObject(item) && Object.hasOwn(item, "special")) {
        throw invalid(file, `${name} must not say what is special, and one`, item["special"]);
      }
      const token: unknown = isObject(item) ? newToken(file, name, { ...item, special: true }) : item;
      if (!tokens.some((known) => isSame(known, token))) tokens.push(token);
    }
    return tokens;
  }
  if (!isObject(value) || name === "extra_special_tokens") return value;
  return newToken(file, name, { ...value, special: true });
}

/** What a class adds, and its roles. */
export interface SpecialTokens {
  /** In the order in which they get ids. */
  added: AddedToken[];
  /** The text of the token in each role that the folder or its class fills. */
  roles: ReadonlyMap<string, string>;
}

/**
 * The tokens that a class with these fields adds to its vocabulary.
 * @param isSpecialAddedAgain whether the class adds its special tokens once more, by their texts alone: what a file says
 * of them, such as the white space that belongs to one, is lost
 * @throws RetouchError CHECKPOINT_INVALID naming the field, as {@link gatherFields}
 */
export function specialTokens(
  file: string,
  { fields, added }: GatheredFields,
  isSpecialAddedAgain = false,
): SpecialTokens {
  const roles = new Map<string, TokenValue>();
  const own: Record<string, unknown> = {};
  for (const [name, value] of Object.entries(fields)) {
    if (isRole(name)) {
      if (value === null || value === undefined) continue;
      if (contentOf(value) === undefined)
        throw invalid(file, `${name} must be a text, or an added token`, value);
      roles.set(name, value as TokenValue);
    } else if (name.endsWith("_token") && contentOf(value) !== undefined) own[name] = value;
  }
  const explicit = fields["model_specific_special_tokens"] ?? {};
  if (!isObject(explicit)) throw invalid(file, "model_specific_special_tokens must be an object", explicit);
  const inOrder = new Map<string, TokenValue>();
  for (const role of ROLES) if (roles.has(role)) inOrder.set(role, roles.get(role)!);
  for (const [name, value] of Object.entries({ ...own, ...explicit })) {
    if (contentOf(value) === undefined)
      throw invalid(file, `${name} must be a text, or an added token`, value);
    inOrder.set(name, value as TokenValue);
  }
  const listName = Object.hasOwn(fields, "extra_special_tokens")
    ? "extra_special_tokens"
    : "additional_special_tokens";
  const extra = fields[listName] ?? [];
  if (!Array.isArray(extra)) throw invalid(file, `${listName} must be a list of tokens`, extra);
  const known = new Set(added.map(({ content }) => content));
  const tokens: TokenValue[] = [...added];
  for (const value of [...inOrder.values(), ...(extra as unknown[])]) {
    const content = contentOf(value);
    if (content === undefined)
      throw invalid(file, `${listName} must have texts or added tokens, and one`, value);
    if (!known.has(content) && !tokens.some((token) => isSame(token, value)))
      tokens.push(value as TokenValue);
  }
  const special = [...inOrder.values(), ...(extra as TokenValue[])].map((value) => contentOf(value)!);
  const named = new Set([...inOrder.values()].map((value) => contentOf(value)));
  return {
    added: [
      ...tokens.map((token) => asAdded(token, named.has(contentOf(token)))),
      ...(isSpecialAddedAgain ? special.map((token) => asAdded(token)) : []),
    ],
    roles: new Map([...inOrder].map(([name, value]) => [name, contentOf(value)!])),
  };
}

const isRole = (name: string): boolean => (ROLES as readonly string[]).includes(name);

/** As the reference's language sees it. */
const isTruthy = (value: unknown): boolean =>
  Array.isArray(value) ? value.length > 0 : isObject(value) ? Object.keys(value).length > 0 : Boolean(value);
