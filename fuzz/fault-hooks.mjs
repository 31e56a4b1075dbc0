// A loader (https://nodejs.org/docs/latest-v20.x/api/module.html#customization-hooks) that changes one built module.
import { FAULTS } from "./faults.mjs";

const { file, change } = FAULTS[process.env.RETOUCH_FUZZ_FAULT];

export async function load(url, context, nextLoad) {
  const loaded = await nextLoad(url, context);
  if (!url.endsWith(`/dist/${file}`)) return loaded;
  return { ...loaded, source: change(String(loaded.source)) };
}
