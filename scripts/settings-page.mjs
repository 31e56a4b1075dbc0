// Writes the tables of docs/configuration.md and the whole of .env.example from the settings in src/config.
// Usage: node scripts/settings-page.mjs
import { readFileSync, writeFileSync } from "node:fs";
import { fileURLToPath } from "node:url";
import path from "node:path";
import { format, resolveConfig } from "prettier";
import { build } from "./build.mjs";

const root = fileURLToPath(new URL("..", import.meta.url));
const PAGE = path.join(root, "docs", "configuration.md");
const TABLE = /(?:^\|.*\n)+/m;
const EXAMPLE = path.join(root, ".env.example");

/** The page with the table under each section's heading made anew; the text around it stays. */
export async function settingsPage(page, sections) {
  const missing = new Set(Object.keys(sections));
  const parts = page.split(/^(?=## )/m).map((part) => {
    const title = /^## (.*)/.exec(part)?.[1];
    const settings = sections[title];
    if (settings === undefined) return part;
    missing.delete(title);
    const table = tableOf(settings);
    return TABLE.test(part) ? part.replace(TABLE, () => table) : `${part}\n${table}\n`;
  });
  if (missing.size > 0)
    throw new Error(`docs/configuration.md lacks the headings ${[...missing].join(", ")}.`);
  return format(parts.join(""), { ...(await resolveConfig(PAGE)), parser: "markdown" });
}

/** The file that a user copies to `.env`: each variable with its meaning and its default, switched off. */
export function environmentExample(sections) {
  const lines = [
    "# Settings of Retouch: each with its default, or an example where it has none. Copy this file to .env, which `npm start`",
    "# and the commands serve, worker and keys read in their working folder, and take the # off what you change. Variables of",
    "# the environment count before it. docs/configuration.md says what each accepts.",
  ];
  for (const [title, settings] of Object.entries(sections)) {
    lines.push("", `# == ${title} ==`);
    for (const { variable, default: byDefault, example, meaning, isFromFile } of Object.values(settings)) {
      lines.push("", `# ${meaning}`);
      if (isFromFile) lines.push(`# In its place, ${variable}_FILE may name a file that holds it.`);
      lines.push(`#${variable}=${byDefault || example}`);
    }
  }
  return `${lines.join("\n")}\n`;
}

function tableOf(settings) {
  const rows = Object.values(settings).map(
    ({ variable, default: byDefault, parser, meaning, isFromFile }) => [
      `\`${variable}\`${isFromFile ? ` or \`${variable}_FILE\`` : ""}`,
      byDefault ? `\`${byDefault}\`` : "",
      parser.accepts,
      meaning,
    ],
  );
  const head = [
    ["Variable", "Default", "Accepts", "Meaning"],
    ["-", "-", "-", "-"],
  ];
  return [...head, ...rows].map((cells) => `| ${cells.join(" | ")} |\n`).join("");
}

if (process.argv[1] === fileURLToPath(import.meta.url)) {
  build();
  const { SECTIONS } = await import("../dist/config/settings.js");
  writeFileSync(PAGE, await settingsPage(readFileSync(PAGE, "utf8"), SECTIONS));
  writeFileSync(EXAMPLE, environmentExample(SECTIONS));
}
