/** Reads the settings from the environment: all of them at once, at the start, and nothing else reads it. */
import { RetouchError } from "../errors.ts";
import { readCacheFolder } from "./cache-settings.ts";
import { type HubSettings, readHubSettings } from "./hub-settings.ts";
import type { Setting } from "./setting.ts";
import { type Config, SETTINGS } from "./settings.ts";

type Environment = Readonly<Record<string, string | undefined>>;

const OWN_PREFIX = "RETOUCH_";
const S3_PREFIX = "RETOUCH_S3_";
const MAX_TYPO_DISTANCE = 3;
const MAX_SHOWN = 100;

/**
 * The settings of this process.
 * @param flags what the command line names, by variable; they count before the environment, where they are given
 * @throws as {@link readConfig}
 */
export function loadConfig(flags: Environment = {}): Config {
  const given = Object.entries(flags).filter(([, value]) => value !== undefined);
  return readConfig({ ...process.env, ...Object.fromEntries(given) });
}

/** The settings that this process shares with Hugging Face's own tools. @throws as {@link readHubSettings} */
export function loadHubSettings(): HubSettings {
  return readHubSettings(process.env);
}

/** Where converted weights are kept. @param given the setting, where all of them were read already */
export const loadCacheFolder = (given?: string): string =>
  readCacheFolder(given === undefined ? process.env : { ...process.env, RETOUCH_CACHE_DIR: given });

/**
 * Checks every variable and fills in the defaults. An empty variable is one that is not set: that is how compose
 * files and shells leave one out.
 * @throws RetouchError CONFIG_INVALID, a sentence a line for each wrong variable, secrets not shown
 */
export function readConfig(environment: Environment): Config {
  const problems: string[] = [];
  const config: Record<string, unknown> = {};
  for (const [name, setting] of Object.entries<Setting<unknown>>(SETTINGS)) {
    const value = environment[setting.variable] || setting.default;
    if (value === undefined) continue;
    config[name] = setting.parser.parse(value);
    if (config[name] === undefined) problems.push(refusal(setting, value));
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

/** A value as a sentence may show it: not long, and without the password that an address may hold. */
function shown(value: string): string {
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
  const known = Object.values<Setting<unknown>>(SETTINGS).map(({ variable }) => variable);
  const unknown = Object.keys(environment).filter(
    (name) => name.startsWith(OWN_PREFIX) && environment[name] && !known.includes(name),
  );
  return unknown.map((name) => {
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

/** What a process of this one's is started with: `defaults`, and all that somebody set. */
export const childEnvironment = (defaults: NodeJS.ProcessEnv = {}): NodeJS.ProcessEnv => ({
  ...defaults,
  ...process.env,
});
