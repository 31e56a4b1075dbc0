/**
 * The flags of `retouch serve`, `worker` and `keys`: each stands for a settings variable, accepts the same
 * values, and takes precedence over it. Secrets have no flags, since every user of a machine sees its command
 * lines.
 */
import { Option } from "commander";
import { shown } from "../config/config.ts";
import { loraPart } from "../config/lora-list.ts";
import type { Setting } from "../config/setting.ts";
import { SETTINGS } from "../config/settings.ts";
import { invalid, LIBRARY } from "../errors.ts";
import { parseHosts } from "./hosts-argument.ts";
import { wordedBy } from "./surfaces.ts";

interface ServiceFlag {
  setting: Setting<unknown>;
  flags: string;
  /** Replaces the setting's meaning. */
  meaning?: string;
  /** Whether it may be repeated; its values are joined with commas. */
  isRepeatable?: boolean;
  /** Converts a command-line string into the variable's string. */
  toVariable?: (text: string) => string;
  /**
   * Checks more closely than the setting's parser does.
   * @throws RetouchError INVALID_PARAMETER about the flag
   */
  check?: (text: string) => unknown;
}

const FLAGS = {
  port: { setting: SETTINGS.port, flags: "-p, --port <number>" },
  host: { setting: SETTINGS.host, flags: "--host <address>" },
  publicUrl: { setting: SETTINGS.publicUrl, flags: "--public-url <url>" },
  dataDir: { setting: SETTINGS.dataDir, flags: "--data-dir <dir>" },
  workers: {
    setting: SETTINGS.workers,
    flags: "--workers <number>",
    meaning: "Number of workers to start; retouch serve also takes 0, if all of them run elsewhere.",
  },
  checkpoint: { setting: SETTINGS.checkpoint, flags: "--checkpoint <dir>" },
  transformer: { setting: SETTINGS.transformer, flags: "--transformer <file>" },
  vae: { setting: SETTINGS.vae, flags: "--vae <file>" },
  textEncoder: { setting: SETTINGS.textEncoder, flags: "--text-encoder <file>" },
  lora: {
    setting: SETTINGS.loras,
    flags: "--lora <file>",
    meaning: "A LoRA that requests may use: a .safetensors file, name=file, or a folder; can be repeated.",
    isRepeatable: true,
    toVariable: loraPart,
  },
  weights: { setting: SETTINGS.weights, flags: "--weights <kind>" },
  threads: { setting: SETTINGS.threads, flags: "--threads <number>" },
  memoryLimit: { setting: SETTINGS.memoryLimit, flags: "--memory-limit <size>" },
  device: { setting: SETTINGS.device, flags: "--device <device>" },
  computeType: { setting: SETTINGS.computeType, flags: "--compute-type <type>" },
  referenceCache: { setting: SETTINGS.referenceCache, flags: "--reference-cache <kind>" },
  encodingCache: { setting: SETTINGS.encodingCache, flags: "--encoding-cache <size>" },
  batch: { setting: SETTINGS.batch, flags: "--batch <number>" },
  safety: { setting: SETTINGS.safety, flags: "--safety <mode>" },
  allowPrivateHosts: {
    setting: SETTINGS.allowPrivateHosts,
    flags: "--allow-private-hosts <list>",
    check: parseHosts,
  },
  logLevel: { setting: SETTINGS.logLevel, flags: "--log-level <level>" },
} satisfies Record<string, ServiceFlag>;

export type ServiceFlagName = keyof typeof FLAGS;
/** The flags of a service command as commander passes them: strings that their settings accept. */
export type ServiceFlags = Partial<Record<ServiceFlagName, string>>;

export const SERVE_FLAGS = Object.keys(FLAGS) as ServiceFlagName[];
/** Without the flags about listening, which a worker does not do. */
export const WORKER_FLAGS = SERVE_FLAGS.filter((name) => !["port", "host", "publicUrl"].includes(name));

/** The options of a command that takes these flags, with refusals of flags that would show a secret. */
export function serviceOptions(names: readonly ServiceFlagName[]): Option[] {
  const secrets = Object.entries<Setting<unknown>>(SETTINGS).filter(([, { isSecret }]) => isSecret);
  return [
    ...names.map((name) => optionOf(FLAGS[name])),
    ...secrets.map(([name, { variable }]) => refusedOption(name, variable)),
  ];
}

/**
 * Runs a command with the variables that its flags stand for. A failure of a variable whose flag was given names the
 * flag instead.
 */
export async function withServiceFlags<Result>(
  flags: ServiceFlags,
  run: (variables: Record<string, string>) => Promise<Result>,
): Promise<Result> {
  const given = SERVE_FLAGS.flatMap((name) => {
    const value = flags[name];
    const { setting, flags: spelling } = FLAGS[name];
    return value === undefined ? [] : [{ variable: setting.variable, flag: longOf(spelling), value }];
  });
  const names = Object.fromEntries(given.map(({ variable, flag }) => [variable, flag]));
  return wordedBy({ ...LIBRARY, names }, () =>
    run(Object.fromEntries(given.map(({ variable, value }) => [variable, value]))),
  );
}

function optionOf(flag: ServiceFlag): Option {
  const { setting, flags, isRepeatable = false, toVariable = (text) => text, check } = flag;
  const name = longOf(flags);
  return new Option(flags, helpOf(flag)).argParser((text: string, before: string | undefined) => {
    const value = toVariable(text);
    const all = isRepeatable && before !== undefined ? `${before},${value}` : value;
    if (setting.parser.parse(all) === undefined) {
      throw invalid("setting", { field: name, accepts: setting.parser.accepts, given: shown(text) });
    }
    check?.(all);
    return all;
  });
}

const CHOICE = /^[a-z0-9]+(?:, [a-z0-9]+)* or [a-z0-9]+$/;

/** The setting's meaning in the form of all help: choices first, no capital, no full stop, default last. */
function helpOf({ setting, meaning = setting.meaning }: ServiceFlag): string {
  const text = meaning.replace(/\.$/, "").replace(/^[A-Z](?=[a-z]*\b)/, (letter) => letter.toLowerCase());
  const { accepts } = setting.parser;
  const choices = CHOICE.test(accepts) ? `${accepts}: ` : "";
  return `${choices}${text}${setting.default ? ` (default: ${setting.default})` : ""}`;
}

function refusedOption(name: string, variable: string): Option {
  const flag = `--${name.replaceAll(/[A-Z]/g, (letter) => `-${letter.toLowerCase()}`)}`;
  return new Option(`${flag} [value]`)
    .hideHelp()
    .preset("")
    .argParser(() => {
      throw invalid("secretFlag", { field: flag, other: variable });
    });
}

const longOf = (flags: string): string => /--[a-z-]+/.exec(flags)![0];
