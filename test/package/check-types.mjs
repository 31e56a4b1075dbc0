// Compiles a program in several ways in one process of an older TypeScript, each as its command would: by the second, the
// compiler itself is compiled. Prints what it complains about, as JSON, an entry for each way.
// Usage: node check-types.mjs FOLDER_OF_TYPESCRIPT WAYS, with WAYS the commands' arguments as JSON.
import { createRequire } from "node:module";
import path from "node:path";

const [folder, ways] = process.argv.slice(2);
const ts = createRequire(import.meta.url)(folder);
const parsed = new Map();

/** Reads the files of TypeScript's own library once. */
function hostOf(options) {
  const host = ts.createCompilerHost(options);
  const read = host.getSourceFile.bind(host);
  const library = path.resolve(host.getDefaultLibLocation());
  host.getSourceFile = (file, ...rest) => {
    if (path.dirname(path.resolve(file)) !== library) return read(file, ...rest);
    if (!parsed.has(file)) parsed.set(file, read(file, ...rest));
    return parsed.get(file);
  };
  return host;
}

const found = JSON.parse(ways).map((way) => {
  const { options, fileNames: rootNames, errors } = ts.parseCommandLine(way);
  const host = hostOf(options);
  const program = ts.createProgram({ rootNames, options, host });
  return ts.formatDiagnostics([...errors, ...ts.getPreEmitDiagnostics(program)], host);
});
console.log(JSON.stringify(found));
