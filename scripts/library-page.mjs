/**
 * Writes the library's reference, docs/library.md and web/library.html, from the declarations in dist: every name that
 * src/index.ts exports, with its doc comment and its type. `npm run docs:library` builds first.
 */
import { existsSync, readFileSync, writeFileSync } from "node:fs";
import path from "node:path";
import { fileURLToPath, pathToFileURL } from "node:url";
import { format, resolveConfig } from "prettier";

const root = path.join(path.dirname(fileURLToPath(import.meta.url)), "..");
/** A type of more lines is cut: tables, whose sources say more. */
const MAX_LINES = 90;
const GROUPS = [
  ["Functions", (kind) => kind === "function"],
  ["Classes", (kind) => kind === "class"],
  ["Values", (kind) => kind === "const"],
  ["Types", (kind) => kind === "interface" || kind === "type"],
];

/** @returns every export: name, kind, doc comment, and its declaration without `export declare` */
export function readLibrary(folder = path.join(root, "dist")) {
  const index = path.join(folder, "index.d.ts");
  return exportsOf(readFileSync(index, "utf8"))
    .map(({ name, from }) => Object.assign({ name }, declarationOf(name, fileOf(index, from))))
    .toSorted((a, b) => (a.name.toLowerCase() < b.name.toLowerCase() ? -1 : 1));
}

const fileOf = (file, from) => path.join(path.dirname(file), from.replace(/\.ts$/, ".d.ts"));

function exportsOf(text) {
  return [...text.matchAll(/^(?:export|import) (?:type )?\{([^}]+)\} from "([^"]+)";/gm)].flatMap(
    ([, names, from]) =>
      names
        .split(",")
        .map((name) => name.replace(/\btype\b/, "").trim())
        .filter(Boolean)
        .map((name) => ({ name, from })),
  );
}

function declarationOf(name, file) {
  if (!existsSync(file)) throw new Error(`There is no ${file}: build first.`);
  const text = readFileSync(file, "utf8");
  const start = new RegExp(
    `^export (?:declare )?(?:abstract )?(?<kind>function|const|class|interface|type) ${name}\\b`,
    "m",
  ).exec(text);
  if (start === null) {
    const other = exportsOf(text).find((one) => one.name === name);
    if (other === undefined) throw new Error(`${file} does not export ${name}.`);
    return declarationOf(name, fileOf(file, other.from));
  }
  const { kind } = start.groups;
  const comment = /\/\*\*(?:[^*]|\*(?!\/))*\*\/\n$/.exec(text.slice(0, start.index))?.[0] ?? "";
  const declaration = text.slice(start.index, endOf(text, start.index, kind));
  return { kind, doc: docOf(comment), code: shortened(declaration.replace(/^export (?:declare )?/, "")) };
}

/** Behind the body, or the semicolon outside of all brackets. */
function endOf(text, start, kind) {
  const hasBody = kind === "interface" || kind === "class";
  let depth = 0;
  for (let index = start; index < text.length; index += 1) {
    const [two, one] = [text.slice(index, index + 2), text[index]];
    if (two === "/*") index = text.indexOf("*/", index) + 1;
    else if (one === '"') index = text.indexOf('"', index + 1);
    else if ("{([".includes(one)) depth += 1;
    else if ("})]".includes(one)) {
      depth -= 1;
      if (depth === 0 && hasBody && one === "}") return index + 1;
    } else if (one === ";" && depth === 0) return index + 1;
  }
  throw new Error("A declaration does not end.");
}

const docOf = (comment) =>
  comment
    .replace(/^\/\*\*\s?|\s*\*\/\s*$/g, "")
    .split("\n")
    .map((line) => line.replace(/^\s*\*\s?/, ""))
    .join("\n")
    .replaceAll(/\{@link ([^}]+)\}/g, "`$1`")
    .trim();

function shortened(code) {
  const lines = code.split("\n");
  return lines.length <= MAX_LINES ? code : [...lines.slice(0, MAX_LINES), "  // and more"].join("\n");
}

/** Tags as a list, each on a line of its own. */
const paragraphsOf = (doc) =>
  doc
    .replaceAll(/\s+(@(?:param|returns|throws|default)\b)/g, "\n\n$1")
    .split(/\n\n+/)
    .map((text) => text.replaceAll(/\s*\n\s*/g, " ").trim())
    .map((text) =>
      text
        .replace(/^@param (\S+)/, "`$1`:")
        .replace(/^@returns /, "Returns ")
        .replace(/^@throws /, "Throws ")
        .replace(/^@default /, "Default: "),
    );

const INTRO =
  'Every name that `import ... from "retouch"` offers, made from the types by `npm run docs:library`. ' +
  "The README shows a first program; lengths are in pixels and bytes, times in milliseconds unless a name says otherwise.";

export async function libraryPages() {
  const all = readLibrary();
  const groups = GROUPS.map(([title, isIn]) => [title, all.filter(({ kind }) => isIn(kind))]).filter(
    ([, own]) => own.length > 0,
  );
  const markdown = [
    "# The library\n",
    `${INTRO}\n`,
    ...groups.flatMap(([title, own]) => [
      `## ${title}\n`,
      ...own.flatMap(({ name, doc, code }) => [
        `### ${name}\n`,
        `${paragraphsOf(doc).join("\n\n")}\n`,
        `\`\`\`ts\n${code}\n\`\`\`\n`,
      ]),
    ]),
  ].join("\n");
  const options = await resolveConfig(path.join(root, "docs/library.md"));
  return {
    "docs/library.md": await format(markdown, { ...options, parser: "markdown" }),
    "web/library.html": await format(htmlOf(groups), { ...options, parser: "html" }),
  };
}

const escaped = (text) => text.replaceAll("&", "&amp;").replaceAll("<", "&lt;").replaceAll(">", "&gt;");
const inline = (text) => escaped(text).replaceAll(/`([^`]+)`/g, "<code>$1</code>");

function htmlOf(groups) {
  const contents = groups.map(
    ([title, own]) =>
      `<div class="family"><a class="family-name" href="#group-${title}">${title}</a>${own.map(({ name }) => `<a class="entry" href="#${name}">${name}</a>`).join("\n")}</div>`,
  );
  const sections = groups.map(
    ([
      title,
      own,
    ]) => `<section class="family-calls" aria-labelledby="group-${title}"><h2 id="group-${title}">${title}</h2>
${own
  .map(
    ({ name, doc, code }) =>
      `<section class="call" id="${name}" aria-labelledby="${name}-title"><h3 id="${name}-title"><code>${name}</code></h3>${paragraphsOf(
        doc,
      )
        .map((text) => `<p>${inline(text)}</p>`)
        .join(
          "\n",
        )}<pre tabindex="0" role="group" aria-label="Type of ${name}"><code>${escaped(code)}</code></pre></section>`,
  )
  .join("\n")}</section>`,
  );
  return `<!doctype html>
<!-- Written by scripts/library-page.mjs. -->
<html lang="en">
<head>
<meta charset="utf-8" />
<meta name="viewport" content="width=device-width, initial-scale=1" />
<meta name="color-scheme" content="light dark" />
<title>Retouch: the library</title>
<link rel="icon" href="/icon.svg" type="image/svg+xml" />
<link rel="stylesheet" href="/src/style.css" />
<link rel="stylesheet" href="/src/docs.css" />
</head>
<body>
<a class="skip" href="#main">Skip to the content</a>
<header class="top"><p class="mark">Retouch</p><nav aria-label="Pages"><a href="./#edit">Edit</a><a href="./#history">History</a><a href="./#usage">Usage</a><a href="docs">API</a></nav></header>
<main id="main" class="docs" tabindex="-1">
<aside class="docs-side"><nav class="contents" aria-label="Names">${contents.join("\n")}</nav></aside>
<div class="docs-body"><h1>The library</h1><p class="faint">${inline(INTRO)}</p>${sections.join("\n")}</div>
</main>
</body>
</html>
`;
}

if (import.meta.url === pathToFileURL(process.argv[1] ?? "").href) {
  for (const [name, text] of Object.entries(await libraryPages())) writeFileSync(path.join(root, name), text);
}
