/**
 * Limits how often an address may try invalid keys. Only such calls are counted and refused: many callers may
 * share an address, and one with a valid key is served whatever the others try.
 */
import type { Config } from "../config/settings.ts";

export type WrongKeySettings = Pick<Config, "rateWindowMs" | "wrongKeyRate">;

export interface WrongKeys {
  /** Counts a call with an invalid key. @throws the refusal once there are too many */
  count(address: string | undefined): void;
}

/** The addresses seen longest ago are forgotten first. */
const MAX_ADDRESSES = 10_000;

export function createWrongKeys({ rateWindowMs, wrongKeyRate }: WrongKeySettings): WrongKeys {
  const windows = new Map<string, { endsAt: number; count: number }>();
  return {
    count(address = "") {
      const network = networkOf(address);
      const now = performance.now();
      let window = windows.get(network);
      // Moved to the end, so that the first one is the one to forget.
      windows.delete(network);
      if (window === undefined || window.endsAt <= now) window = { endsAt: now + rateWindowMs, count: 0 };
      windows.set(network, window);
      if (windows.size > MAX_ADDRESSES) windows.delete(windows.keys().next().value!);
      window.count += 1;
      if (window.count <= wrongKeyRate) return;
      const sentence = `More than ${wrongKeyRate} calls with a wrong key in ${rateWindowMs / 1000} s; try again later.`;
      const retryAfterSeconds = Math.max(1, Math.ceil((window.endsAt - now) / 1000));
      throw Object.assign(new Error(sentence), { statusCode: 429, retryAfterSeconds });
    },
  };
}

/** The first half of an IPv6 address, since a caller owns the whole other half; all of an IPv4 address. */
export function networkOf(address: string): string {
  const last = address.slice(address.lastIndexOf(":") + 1);
  // The form that dual-stack sockets give an IPv4 address: ::ffff:192.0.2.1.
  if (last.includes(".")) return last;
  if (!address.includes(":")) return address;
  const [head = "", tail] = address.split("%", 1)[0]!.split("::");
  const groups = head === "" ? [] : head.split(":");
  const after = tail === undefined || tail === "" ? [] : tail.split(":");
  const zeros = Array.from({ length: tail === undefined ? 0 : 8 - groups.length - after.length }, () => "0");
  return [...groups, ...zeros, ...after].slice(0, 4).join(":");
}
