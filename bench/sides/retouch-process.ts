/**
 * Edits with Retouch, as `bench/diffusers_edit.py` does with diffusers: loads a checkpoint folder once, prints a line
 * when ready, then answers one JSON line with one until its input ends.
 * Argument: a `RetouchSettings` as JSON.
 */
import { createEngine } from "../../src/index.ts";
import { answerOrders } from "./edit-orders.ts";
import type { RetouchSettings } from "./retouch.ts";

const settings = JSON.parse(process.argv[2]!) as RetouchSettings;

// The other side has no safety checker.
await answerOrders(() => createEngine({ ...settings, safety: { isOn: false } }));
