/** What may stand for an endpoint in an address. */
import { pattern } from "./parsers.ts";

export const ENDPOINT_ID = pattern("1 to 100 letters, digits, - and _", /^[A-Za-z0-9_-]{1,100}$/);
