/** Reads `--allow-private-hosts`, whose syntax is that of RETOUCH_ALLOW_PRIVATE_HOSTS. */
import { SETTINGS } from "../config/settings.ts";
import { RetouchError } from "../errors.ts";
import { type AddressPolicy, createAddressPolicy } from "../net/address-policy.ts";

const FLAG = "--allow-private-hosts";

/** @throws RetouchError INVALID_PARAMETER for an entry that is not a host, address or network */
export function parseHosts(text: string): AddressPolicy {
  try {
    return createAddressPolicy(SETTINGS.allowPrivateHosts.parser.parse(text) ?? [], FLAG);
  } catch (error) {
    if (!(error instanceof RetouchError)) throw error;
    throw new RetouchError("INVALID_PARAMETER", error.failures, { cause: error });
  }
}
