/** The settings that the server reads; `config/` fills them in, defaults included. */
import type { Config } from "../config/settings.ts";
import type { InputSettings } from "./edit-input.ts";
import type { HostSettings } from "./host-check.ts";
import type { BudgetSettings } from "./body-budget.ts";
import type { ConnectionSettings } from "./connections.ts";
import type { LimitSettings } from "./limits.ts";
import type { WrongKeySettings } from "./wrong-keys.ts";

export type ServerSettings = InputSettings &
  LimitSettings &
  HostSettings &
  WrongKeySettings &
  BudgetSettings &
  ConnectionSettings &
  Pick<
    Config,
    | "endpointId"
    | "publicUrl"
    | "corsOrigin"
    | "trustedProxies"
    | "price"
    | "isPriceSet"
    | "runMaxBytes"
    | "runsyncMaxBytes"
    | "imageMaxBytes"
    | "imageMaxPixels"
    | "syncWaitMs"
    | "streamWaitMs"
    | "keyQuotaBytes"
    | "maxQueued"
  >;
