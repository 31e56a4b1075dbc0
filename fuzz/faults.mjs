// Faults that were mended, to be put back at load time: a run must find each. `change` rewrites the built module, and
// throws where it no longer finds what it replaces, so that no fault is "found" that was never there.
const replaced = (text, from, to) => {
  if (!text.includes(from)) throw new Error(`The built module no longer has: ${from}`);
  return text.replace(from, to);
};

/** By name: the parser that must find it, the built module, and how it was. */
export const FAULTS = {};
export { replaced };
