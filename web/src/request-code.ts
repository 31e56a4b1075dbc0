/** The edit on the stage as code that repeats it. */
import { addressOf, home } from "./address.ts";
import { codeTabs } from "./code.ts";
import { find } from "./dom.ts";
import type { EditRecord } from "./history-store.ts";
import { urlsOf } from "./record-images.ts";

/** @param usual the endpoint of records that name none */
export function presentCode(record: EditRecord, usual: string): void {
  const { parameters, prompt, endpoint = usual } = record;
  // Uses the URL that works from this machine; the public one may not.
  const server = home.href.replace(/\/$/, "");
  const images = urlsOf(record).map((url) => (url === undefined ? undefined : addressOf(url)));
  const input = { prompt, ...parameters };
  find("code").replaceChildren(
    codeTabs({ server, endpoint, input, images, hasMask: record.mask !== undefined }),
  );
  find("code-box").hidden = false;
}
