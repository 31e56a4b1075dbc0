/** Reads the settings from the environment and `.env`: all of them at once, at the start, and nothing else reads it. */
import { RetouchError } from "../errors.ts";
import { readCacheFolder } from "./cache-settings.ts";
import { readDotenv } from "./dotenv.ts";
import { type HubSettings, readHubSettings } from "./hub-settings.ts";
import { fileVariable, readSecretFiles, variablesOf } from "./secret-files.ts";
import type { Setting } from "./setting.ts";
import { type Config, SETTINGS } from "./settings.ts";

type Environment = Readonly<Record<string, string | undefined>>;

const OWN_PREFIX = "RETOUCH_";
const S3_PREFIX = "RETOUCH_S3_";
const MAX_TYPO_DISTANCE = 3;
const MAX_SHOWN = 100;

/**
 * The settings of this process: what the command line names, before its environment, before `.env` of the working
 * folder. What the file has for other libraries becomes part of this process's environment, where they look.
 * @param flags by variable, where they are given
 * @throws as {@link readConfig} and {@link readDotenv}
 */
export function loadConfig(flags: Environment = {}): Config {
  const given = Object.fromEntries(Object.entries(flags).filter(([, value]) => value !== undefined));
  const file = readDotenv(process.cwd());
  Object.assign(process.env, unset(file.others, process.env));
  const environment = { ...process.env, ...given };
  const own = unset(file.own, environment);
  return namingFile(own, () => readConfig({ ...own, ...environment }));
}

/** Those that the environment does not have, not even as an empty text or by the name of a file that holds them. */
function unset(variables: Record<string, string>, environment: Environment): Record<string, string> {
  const twinOf = (name: string): string => (name.endsWith("_FILE") ? name.slice(0, -5) : `${name}_FILE`);
  const names = Object.keys(variables).filter((name) => !(name in environment) && !environment[twinOf(name)]);
  return Object.fromEntries(names.map((name) => [name, variables[name]!]));
}

/** Says of a variable that sentences name where it stands. */
function namingFile<Result>(variables: Record<string, string>, read: () => Result): Result {
  try {
    return read();
  } catch (error) {
    if (!(error instanceof RetouchError) || error.code !== "CONFIG_INVALID") throw error;
    const sentences = error.message.replaceAll(/^[A-Z][A-Z0-9_]+/gm, (name) =>
      name in variables ? `${name} (in .env)` : name,
    );
    throw new RetouchError("CONFIG_INVALID", sentences, { cause: error });
  }
}

/** The settings that this process shares with Hugging Face's own tools. @throws as {@link readHubSettings} */
export function loadHubSettings(): HubSettings {
  return readHubSettings(process.env);
}

/** Where converted weights are kept. @param given the setting, where all of them were read already */
export const loadCacheFolder = (given?: string): string =>
  readCacheFolder(given === undefined ? process.env : { ...process.env, RETOUCH_CACHE_DIR: given });

/**
 * Checks every variable, reads the files of secrets and fills in the defaults. An empty variable is one that is not
 * set: that is how compose files and shells leave one out.
 * @throws RetouchError CONFIG_INVALID, a sentence a line for each wrong variable, secrets not shown
 */
export function readConfig(environment: Environment): Config {
  const files = readSecretFiles(SETTINGS, environment);
  const problems = [...files.problems];
  const config: Record<string, unknown> = {};
  for (const [name, setting] of Object.entries<Setting<unknown>>(SETTINGS)) {
    const fromFile = files.values[setting.variable];
    const value = fromFile ?? (environment[setting.variable] || setting.default);
    if (value === undefined) continue;
    config[name] = setting.parser.parse(value);
    if (config[name] === undefined) {
      problems.push(fromFile === undefined ? refusal(setting, value) : fileRefusal(setting));
    }
    Object.freeze(config[name]);
  }
  problems.push(...unknownVariables(environment));
  if (problems.length === 0) {
    problems.push(...contradictions(config as unknown as Config, environment));
  }
  if (problems.length > 0) throw new RetouchError("CONFIG_INVALID", problems.join("\n"));
  return Object.freeze(config) as unknown as Config;
}

function refusal({ variable, parser, isSecret }: Setting<unknown>, value: string): string {
  return `${variable} must be ${parser.accepts}${isSecret ? "" : `, not ${shown(value)}`}.`;
}

const fileRefusal = (setting: Setting<unknown>): string =>
  `${fileVariable(setting)} must name a file that holds ${setting.parser.accepts}.`;

/** A value as a sentence may show it: not long, and without the password that an address may hold. */
export function shown(value: string): string {
  const harmless = value.replace(/\/\/[^/]*@/, "//***@");
  return JSON.stringify(harmless.length > MAX_SHOWN ? `${harmless.slice(0, MAX_SHOWN)}...` : harmless);
}

/** What no variable gets wrong alone. */
function contradictions(config: Config, environment: Environment): string[] {
  const problems: string[] = [];
  if (config.minSide > config.maxSide) {
    problems.push(
      `RETOUCH_MIN_SIDE (${config.minSide}) must not be more than RETOUCH_MAX_SIDE (${config.maxSide}).`,
    );
  }
  if (config.leaseRenewalMs * 2 > config.leaseMs) {
    problems.push(
      `RETOUCH_LEASE_RENEWAL (${config.leaseRenewalMs} ms) must be at most half of RETOUCH_LEASE (${config.leaseMs} ms).`,
    );
  }
  const largestBody = Math.max(config.runMaxBytes, config.runsyncMaxBytes);
  if (config.bodyBudgetPerKeyBytes < largestBody) {
    problems.push(
      `RETOUCH_BODY_BUDGET_PER_KEY (${config.bodyBudgetPerKeyBytes} bytes) must be at least the largest body (${largestBody} bytes).`,
    );
  }
  if (config.bodyBudgetPerKeyBytes > config.bodyBudgetBytes) {
    problems.push(
      `RETOUCH_BODY_BUDGET_PER_KEY (${config.bodyBudgetPerKeyBytes} bytes) must not be more than RETOUCH_BODY_BUDGET (${config.bodyBudgetBytes} bytes).`,
    );
  }
  if ((config.s3AccessKeyId === undefined) !== (config.s3SecretAccessKey === undefined)) {
    problems.push("RETOUCH_S3_ACCESS_KEY_ID and RETOUCH_S3_SECRET_ACCESS_KEY must be given together.");
  }
  const idle = Object.keys(environment).filter((name) => name.startsWith(S3_PREFIX) && environment[name]);
  if (config.s3Bucket === undefined && idle.length > 0) {
    problems.push(`${idle.join(", ")} must not be given without RETOUCH_S3_BUCKET.`);
  }
  return problems;
}

/** A misspelt variable would otherwise be ignored in silence. */
function unknownVariables(environment: Environment): string[] {
  const settings = Object.values<Setting<unknown>>(SETTINGS);
  const known = settings.flatMap(variablesOf);
  const unknown = Object.keys(environment).filter(
    (name) => name.startsWith(OWN_PREFIX) && environment[name] && !known.includes(name),
  );
  return unknown.map((name) => {
    const [, base] = /^(.+)_FILE$/.exec(name) ?? [];
    if (settings.some(({ variable }) => variable === base)) {
      return `${name} is no setting: ${base} is not read from a file.`;
    }
    const [nearest] = known.toSorted((a, b) => distance(a, name) - distance(b, name));
    const isNear = nearest !== undefined && distance(nearest, name) <= MAX_TYPO_DISTANCE;
    return `${name} is no setting${isNear ? `; did you mean ${nearest}?` : "."}`;
  });
}

/** Insertions, deletions and substitutions between two texts. */
function distance(from: string, to: string): number {
  let row = Array.from({ length: to.length + 1 }, (_, index) => index);
  for (const [line, character] of [...from].entries()) {
    const next = [line + 1];
    for (let column = 1; column <= to.length; column += 1) {
      const substitution = row[column - 1]! + (to[column - 1] === character ? 0 : 1);
      next.push(Math.min(substitution, row[column]! + 1, next[column - 1]! + 1));
    }
    row = next;
  }
  return row[to.length]!;
}
