/**
 * Reads a Dockerfile into stages. It knows what ours uses and throws at everything else, so that no line is replayed as
 * something that it is not: https://docs.docker.com/reference/dockerfile/
 */

export interface Dockerfile {
  readonly stages: readonly Stage[];
}

export interface Stage {
  /** An image, or the name of a stage above. */
  readonly from: string;
  readonly name: string | undefined;
  readonly instructions: readonly Instruction[];
}

export type Instruction =
  | { readonly kind: "ENV"; readonly variables: Readonly<Record<string, string>> }
  | { readonly kind: "WORKDIR" | "USER" | "VOLUME" | "EXPOSE"; readonly value: string }
  | {
      readonly kind: "COPY";
      /** A stage; without it, the build context. */
      readonly from: string | undefined;
      readonly sources: readonly string[];
      readonly destination: string;
    }
  | { readonly kind: "RUN" | "ENTRYPOINT" | "CMD" | "HEALTHCHECK"; readonly command: readonly string[] };

const SHELL = ["/bin/sh", "-c"];

export function parseDockerfile(text: string): Dockerfile {
  const stages: { from: string; name: string | undefined; instructions: Instruction[] }[] = [];
  for (const line of logicalLines(text)) {
    const [, keyword, rest] = /^([A-Za-z]+)\s+(.+)$/s.exec(line) ?? [];
    if (keyword === undefined || rest === undefined) throw unknown(line);
    if (keyword.toUpperCase() === "FROM") stages.push({ ...parseFrom(rest), instructions: [] });
    else if (stages.length === 0) throw new Error(`A stage begins with FROM, not with ${keyword}.`);
    else stages.at(-1)!.instructions.push(parseInstruction(keyword.toUpperCase(), rest));
  }
  return { stages };
}

/** Lines without comments, with those that end in a backslash joined to the next. */
function logicalLines(text: string): string[] {
  if (/^#\s*(escape|syntax|check)\s*=/im.test(text)) throw new Error("Parser directives are not known here.");
  const lines = text.split("\n").filter((line) => !/^\s*#/.test(line));
  const joined: string[] = [];
  let open = "";
  for (const line of lines) {
    const [, start] = /^(.*)\\\s*$/.exec(line) ?? [];
    if (start !== undefined) {
      open += start;
      continue;
    }
    // Docker passes an empty line inside a command over, and warns.
    if (open !== "" && line.trim() === "") throw new Error("A command must not have an empty line in it.");
    joined.push((open + line).trim());
    open = "";
  }
  if (open !== "") throw new Error("The last line must not end in a backslash.");
  return joined.filter((line) => line !== "");
}

function parseFrom(rest: string): Pick<Stage, "from" | "name"> {
  const [, from, name] = /^(\S+)(?:\s+AS\s+(\S+))?$/i.exec(withoutVariables(rest)) ?? [];
  if (from === undefined || from.startsWith("-")) throw unknown(`FROM ${rest}`);
  return { from, name };
}

function parseInstruction(keyword: string, rest: string): Instruction {
  switch (keyword) {
    case "ENV":
      return { kind: keyword, variables: parseVariables(withoutVariables(rest)) };
    case "WORKDIR":
    case "USER":
    case "VOLUME":
    case "EXPOSE":
      if (/[\s[\]"]/.test(rest)) throw unknown(`${keyword} ${rest}`);
      return { kind: keyword, value: withoutVariables(rest) };
    case "COPY":
      return parseCopy(withoutVariables(rest));
    case "HEALTHCHECK": {
      const [, command] = /^(?:--(?:interval|timeout|start-period)=\d+s\s+)*CMD\s+(.+)$/s.exec(rest) ?? [];
      if (command === undefined) throw unknown(`HEALTHCHECK ${rest}`);
      return { kind: keyword, command: parseCommand(command) };
    }
    case "RUN":
    case "ENTRYPOINT":
    case "CMD":
      return { kind: keyword, command: parseCommand(rest) };
    default:
      throw unknown(`${keyword} ${rest}`);
  }
}

function parseCopy(rest: string): Instruction {
  const words = rest.split(/\s+/);
  const [, from] = /^--from=(.+)$/.exec(words[0]!) ?? [];
  const paths = from === undefined ? words : words.slice(1);
  if (paths.length < 2 || paths.some((word) => /^--|[[\]"*?]|^<</.test(word))) throw unknown(`COPY ${rest}`);
  return { kind: "COPY", from, sources: paths.slice(0, -1), destination: paths.at(-1)! };
}

/** The form of JSON, or a line for the shell. */
function parseCommand(text: string): string[] {
  if (/^--|<</.test(text)) throw unknown(text);
  if (!text.startsWith("[")) return [...SHELL, text];
  const words: unknown = JSON.parse(text);
  if (!Array.isArray(words) || words.some((word) => typeof word !== "string")) throw unknown(text);
  return words as string[];
}

function parseVariables(text: string): Record<string, string> {
  const pairs = text.split(/\s+/).map((word) => /^([A-Za-z_]\w*)=([^\s"'\\]*)$/.exec(word));
  if (pairs.includes(null)) throw unknown(`ENV ${text}`);
  return Object.fromEntries(pairs.map((match) => [match![1]!, match![2]!]));
}

/** Docker puts variables into these instructions, which is not done here. */
function withoutVariables(text: string): string {
  if (text.includes("$")) throw unknown(text);
  return text;
}

const unknown = (line: string): Error => new Error(`The replay does not know this: ${line}`);
