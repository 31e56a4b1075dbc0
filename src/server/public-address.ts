/** Checks URLs in requests without a connection: what would be refused later anyway is refused here. */
import { invalid } from "../errors.ts";

/** Whether an http or https URL visibly leads into a private network without the operator's permission. */
export type IsRefusedAddress = (url: URL) => boolean;

const MAX_SHOWN_LENGTH = 100;

/** @throws RetouchError INVALID_PARAMETER about the field, naming only the host of the URL */
export function checkPublic(field: string, url: URL, isRefused: IsRefusedAddress): void {
  if (!isRefused(url)) return;
  const host = url.hostname.replace(/^\[(.*)\]$/, "$1");
  const shown = host.length > MAX_SHOWN_LENGTH ? `${host.slice(0, MAX_SHOWN_LENGTH)}...` : host;
  throw invalid("privateUrl", { field, host: shown });
}
