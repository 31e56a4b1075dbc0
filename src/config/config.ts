/** Reads all settings from the environment and `.env` once, at the start; nothing else reads them. */
import { type Failure, failure, nearestOf, RetouchError } from "../errors.ts";
import type { CredentialTexts } from "../c2pa/credential-texts.ts";
import { readContentCredentials } from "./c2pa-settings.ts";
import { readCacheFolder, readHistoryFile } from "./cache-settings.ts";
import { readDotenv } from "./dotenv.ts";
import { type HubSettings, readHubSettings } from "./hub-settings.ts";
import { fileVariable, readSecretFiles, variablesOf } from "./secret-files.ts";
import type { Setting, Settings } from "./setting.ts";
import { type Config, SETTINGS } from "./settings.ts";

type Environment = Readonly<Record<string, string | undefined>>;

const OWN_PREFIX = "RETOUCH_";
const S3_PREFIX = "RETOUCH_S3_";
const MAX_SHOWN = 100;

/**
 * The settings of this process: the command line counts before the environment, and that before `.env` in the
 * working folder. What the file has for other libraries becomes part of this process's environment, where
 * they look for it.
 * @param flags by variable, as far as given
 * @throws as {@link readConfig} and {@link readDotenv}
 */
export function loadConfig(flags: Environment = {}): Config {
  const given = Object.fromEntries(Object.entries(flags).filter(([, value]) => value !== undefined));
  const file = readDotenv(process.cwd());
  Object.assign(process.env, unset(file.others, process.env));
  const environment = { ...process.env, ...given };
  const own = unset(file.own, environment);
  return readConfig({ ...own, ...environment }, { inFile: new Set(Object.keys(own)) });
}

/** Variables that the environment lacks: it has not even an empty string or a `_FILE` variable for them. */
function unset(variables: Record<string, string>, environment: Environment): Record<string, string> {
  const twinOf = (name: string): string => (name.endsWith("_FILE") ? name.slice(0, -5) : `${name}_FILE`);
  const names = Object.keys(variables).filter((name) => !(name in environment) && !environment[twinOf(name)]);
  return Object.fromEntries(names.map((name) => [name, variables[name]!]));
}

/** The settings that this process shares with Hugging Face's own tools. @throws as {@link readHubSettings} */
export function loadHubSettings(): HubSettings {
  return readHubSettings(process.env);
}

/** Where converted weights are kept. @param given the setting, if the settings have already been read */
export const loadCacheFolder = (given?: string): string =>
  readCacheFolder(given === undefined ? process.env : { ...process.env, RETOUCH_CACHE_DIR: given });

/** Where the command remembers its edits, if it is to. @throws as {@link readHistoryFile} */
export const loadHistoryFile = (isAsked?: boolean): string | undefined =>
  readHistoryFile(process.env, isAsked);

/** What signs the receipts of commands, if anything does. @throws RetouchError CONFIG_INVALID for one that is no key */
export function loadReceiptKey(): string | undefined {
  const { receiptKey } = SETTINGS;
  const { config, problems } = readValues({ receiptKey }, process.env);
  if (problems.length > 0) throw new RetouchError("CONFIG_INVALID", problems);
  return config["receiptKey"] as string | undefined;
}

/** What gives the results of commands content credentials, if anything does. @throws RetouchError CONFIG_INVALID */
export function loadContentCredentials(): CredentialTexts | undefined {
  const { c2paCertificate, c2paKey } = SETTINGS;
  const { config } = readValues({ c2paCertificate, c2paKey }, process.env);
  return readContentCredentials(config);
}

/**
 * Checks every variable, reads the files of secrets and fills in the defaults. An empty variable counts as
 * not set: that is how compose files and shells leave one out.
 * @param options.inFile variables that come from `.env`, which failures then mention
 * @throws RetouchError CONFIG_INVALID with a failure for each wrong variable, secrets not shown
 */
export function readConfig(
  environment: Environment,
  { inFile = new Set() }: { inFile?: ReadonlySet<string> } = {},
): Config {
  const { config, files, problems } = readValues(SETTINGS, environment);
  const { variable } = SETTINGS.price;
  config["isPriceSet"] = Boolean(files[variable] ?? environment[variable]);
  problems.push(...unknownVariables(environment));
  if (problems.length === 0) {
    problems.push(...contradictions(config as unknown as Config, environment));
  }
  if (problems.length > 0) {
    throw new RetouchError(
      "CONFIG_INVALID",
      problems.map((problem) => placed(problem, inFile)),
    );
  }
  return Object.freeze(config) as unknown as Config;
}

/** Every setting by itself. */
function readValues(
  settings: Settings,
  environment: Environment,
): { config: Record<string, unknown>; files: Readonly<Record<string, string>>; problems: Failure[] } {
  const files = readSecretFiles(settings, environment);
  const problems: Failure[] = [...files.problems];
  const config: Record<string, unknown> = {};
  for (const [name, setting] of Object.entries(settings)) {
    const fromFile = files.values[setting.variable];
    const value = fromFile ?? (environment[setting.variable] || setting.default);
    if (value === undefined) continue;
    config[name] = setting.parser.parse(value);
    if (config[name] === undefined) {
      problems.push(fromFile === undefined ? refusal(setting, value) : refusalOfFile(setting));
    }
    Object.freeze(config[name]);
  }
  return { config, files: files.values, problems };
}

/** Adds to a failure where its variable was set. */
const placed = (problem: Failure, inFile: ReadonlySet<string>): Failure =>
  inFile.has(String(problem.values["field"]))
    ? { ...problem, values: { ...problem.values, place: ".env" } }
    : problem;

function refusal({ variable: field, parser, isSecret }: Setting<unknown>, value: string): Failure {
  const { accepts } = parser;
  return isSecret
    ? failure("settingSecret", { field, accepts })
    : failure("setting", { field, accepts, given: shown(parser.wrongPart?.(value) ?? value) });
}

const refusalOfFile = (setting: Setting<unknown>): Failure =>
  failure("settingFile", { field: fileVariable(setting)!, accepts: setting.parser.accepts });

/** A value as a sentence may show it: shortened, and without the password that a URL may hold. */
export function shown(value: string): string {
  const harmless = value.replace(/\/\/[^/]*@/, "//***@");
  return JSON.stringify(harmless.length > MAX_SHOWN ? `${harmless.slice(0, MAX_SHOWN)}...` : harmless);
}

/** Contradictions between variables that are each valid by themselves. */
function contradictions(config: Config, environment: Environment): Failure[] {
  const problems: Failure[] = endpointContradictions(config);
  if (config.minSide > config.maxSide) {
    const values = { given: config.minSide, other: "RETOUCH_MAX_SIDE", max: config.maxSide };
    problems.push(failure("notMore", { field: "RETOUCH_MIN_SIDE", ...values }));
  }
  if (config.leaseRenewalMs * 2 > config.leaseMs) {
    const values = {
      given: `${config.leaseRenewalMs} ms`,
      other: "RETOUCH_LEASE",
      max: `${config.leaseMs} ms`,
    };
    problems.push(failure("atMostHalf", { field: "RETOUCH_LEASE_RENEWAL", ...values }));
  }
  const largestBody = Math.max(config.runMaxBytes, config.runsyncMaxBytes);
  const perKey = `${config.bodyBudgetPerKeyBytes} bytes`;
  if (config.bodyBudgetPerKeyBytes < largestBody) {
    const values = { given: perKey, min: `the largest body (${largestBody} bytes)` };
    problems.push(failure("atLeast", { field: "RETOUCH_BODY_BUDGET_PER_KEY", ...values }));
  }
  if (config.bodyBudgetPerKeyBytes > config.bodyBudgetBytes) {
    const max = `${config.bodyBudgetBytes} bytes`;
    const values = { given: perKey, other: "RETOUCH_BODY_BUDGET", max };
    problems.push(failure("notMore", { field: "RETOUCH_BODY_BUDGET_PER_KEY", ...values }));
  }
  if ((config.s3AccessKeyId === undefined) !== (config.s3SecretAccessKey === undefined)) {
    const values = { field: "RETOUCH_S3_ACCESS_KEY_ID", other: "RETOUCH_S3_SECRET_ACCESS_KEY" };
    problems.push(failure("together", values));
  }
  const idle = Object.keys(environment).filter((name) => name.startsWith(S3_PREFIX) && environment[name]);
  if (config.s3Bucket === undefined && idle.length > 0) {
    problems.push(...idle.map((field) => failure("onlyWith", { field, other: "RETOUCH_S3_BUCKET" })));
  }
  return problems;
}

/** Each endpoint has one name, and workers serve those that there are. */
function endpointContradictions({ endpointId, models = [], workerEndpoints = [] }: Config): Failure[] {
  const twice = models.filter(({ id }) => id === endpointId);
  const ids = [endpointId, ...models.map(({ id }) => id)];
  const unknown = workerEndpoints.filter((id) => !ids.includes(id));
  return [
    ...twice.map(({ id, checkpoint }) =>
      failure("about", {
        field: "RETOUCH_MODELS",
        sentence: `${shown(`${id}=${checkpoint}`)} has the id of the default endpoint (RETOUCH_ENDPOINT_ID).`,
      }),
    ),
    ...unknown.map((id) =>
      failure("oneOf", { field: "RETOUCH_WORKER_ENDPOINTS", choices: ids.join(", "), given: shown(id) }),
    ),
  ];
}

/** Finds misspelt variables, which would otherwise be silently ignored. */
function unknownVariables(environment: Environment): Failure[] {
  const settings = Object.values<Setting<unknown>>(SETTINGS);
  const known = settings.flatMap(variablesOf);
  const unknown = Object.keys(environment).filter(
    (name) => name.startsWith(OWN_PREFIX) && environment[name] && !known.includes(name),
  );
  return unknown.map((name) => {
    const [, base] = /^(.+)_FILE$/.exec(name) ?? [];
    if (settings.some(({ variable }) => variable === base)) {
      return failure("settingNotFromFile", { field: name, other: base! });
    }
    const nearest = nearestOf(name, known);
    return nearest !== undefined
      ? failure("settingMisspelt", { field: name, other: nearest })
      : failure("settingUnknown", { field: name });
  });
}
