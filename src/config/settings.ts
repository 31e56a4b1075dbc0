/**
 * Every setting of the service: variable, kind, default and meaning. The tables of `docs/configuration.md`
 * and all of `.env.example` are generated from this (`scripts/settings-page.mjs`), and a test compares them
 * with it.
 */
import { ENGINE, PICTURES } from "./edit-settings.ts";
import { JOBS, OPERATION, WEBHOOKS } from "./job-settings.ts";
import { LIMITS } from "./limit-settings.ts";
import { ADDRESS, DATA } from "./service-settings.ts";
import type { RequiredSetting, Setting, Settings } from "./setting.ts";

/** Settings by the heading they appear under, in the order of the page. */
export const SECTIONS: Readonly<Record<string, Settings>> = {
  "Address and access": ADDRESS,
  "Database and images": DATA,
  "Engine and results": ENGINE,
  "Source images and sizes": PICTURES,
  "Lives of jobs": JOBS,
  Limits: LIMITS,
  Webhooks: WEBHOOKS,
  Operation: OPERATION,
};

/** All settings, by the names of {@link Config}. */
export const SETTINGS = {
  ...ADDRESS,
  ...DATA,
  ...ENGINE,
  ...PICTURES,
  ...JOBS,
  ...LIMITS,
  ...WEBHOOKS,
  ...OPERATION,
} satisfies Settings;

type Value<Entry> =
  Entry extends RequiredSetting<infer Found>
    ? Found
    : Entry extends Setting<infer Found>
      ? Found | undefined
      : never;

/** Every setting, read and checked. */
export type Config = { readonly [Name in keyof typeof SETTINGS]: Value<(typeof SETTINGS)[Name]> } & {
  /** Whether somebody has set `RETOUCH_PRICE`. */
  readonly isPriceSet: boolean;
};
