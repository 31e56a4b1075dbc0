// Faults that a run must find, put back when the built module is loaded; nothing in the tree changes. Each throws where
// the module no longer has what it replaces, so that no fault counts as found that was never there.
const replacing = (from, to) => (text) => {
  if (!text.includes(from)) throw new Error(`The built module no longer has: ${from}`);
  return text.replace(from, () => to);
};

/** Faults of this project that were mended. */
const MENDED = {
  "broken-texts": {
    target: "http-run",
    what: "texts that no database stores were answered with 500",
    file: "server/json-body.js",
    change: replacing(String.raw`if (text.includes("\\u") && hasBrokenText(value))`, "if (false)"),
  },
  "header-null": {
    target: "safetensors",
    what: "a header that is JSON, but no object, ended in a TypeError",
    file: "weights/safetensors.js",
    change: replacing(
      'if (typeof header !== "object" || header === null || Array.isArray(header))',
      "if (false)",
    ),
  },
  "tokenizer-ids": {
    target: "clip-vocabulary",
    what: "ids that are none reached the network",
    file: "tokenizers/check-definition.js",
    change: replacing("entries.find(([, id]) => !isId(id))", "undefined"),
  },
  "extra-ids": {
    target: "t5-settings",
    what: "the number of T5's placeholders had no bound",
    file: "tokenizers/t5.js",
    change: replacing("max: MAX_EXTRA_IDS })", "max: Number.MAX_SAFE_INTEGER })"),
  },
  "shard-folder": {
    target: "shard-index",
    what: "an index could name a folder as a shard",
    file: "weights/checkpoint.js",
    change: replacing("!isFileName(shard)", "false"),
  },
  "admin-status": {
    target: "admin-socket",
    what: "a malformed call of the keys' socket was answered with 500",
    file: "keys/admin-socket.js",
    change: replacing("error instanceof RetouchError ? error.httpStatus : 500", "500"),
  },
};

/** Faults that never shipped: a promise of the code broken, and what the runner itself must notice. */
const MADE_UP = {
  "signature-bytes": {
    target: "signed-url",
    what: "signatures are compared by the bytes that they encode",
    file: "storage/signed-urls.js",
    change: replacing(
      "if (!isEqual(signature, signatureOf(name, expires)))",
      'if (!Buffer.from(signature, "base64url").equals(Buffer.from(signatureOf(name, expires), "base64url")))',
    ),
  },
  "process-ends": {
    target: "base64",
    what: "the process ends",
    file: "images/base64.js",
    change: replacing("const digits =", "if (text.length > 2000) process.abort();\nconst digits ="),
  },
  "endless-loop": {
    target: "base64",
    what: "a loop does not end",
    file: "images/base64.js",
    change: replacing("const digits =", "while (text.length > 2000);\nconst digits ="),
  },
  "memory-kept": {
    target: "base64",
    what: "memory is not released",
    file: "images/base64.js",
    change: replacing(
      "const digits =",
      "(globalThis.kept ??= []).push(Buffer.alloc(2 ** 20, 1));\nconst digits =",
    ),
  },
  pollution: {
    target: "json",
    what: "a key of the body reaches the prototype of all objects",
    file: "server/json-body.js",
    change: replacing(
      "const repeatedKey =",
      'if (text.includes("__proto__")) Object.prototype.polluted = 1;\nconst repeatedKey =',
    ),
  },
};

/** By name: the parser that must find it, the built module, and how it was. */
export const FAULTS = { ...MENDED, ...MADE_UP };
