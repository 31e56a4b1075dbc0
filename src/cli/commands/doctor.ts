/** `retouch doctor` on the command line. */
import { anyOf } from "../../errors.ts";
import { PUBLISHED_MODELS } from "../../index.ts";
import { numberOf, parseMemory } from "../arguments.ts";
import type { DoctorFlags } from "../doctor/doctor.ts";
import { command, JSON_OPTION, option } from "./command.ts";
import { NETWORK_OPTIONS } from "./network-options.ts";

export const DOCTOR = command<DoctorFlags>({
  name: "doctor",
  summary: "show what this machine can run",
  description: "Show what this machine can run, with memory, disk space and time, before anything is loaded.",
  options: [
    ...NETWORK_OPTIONS,
    option(
      "--model <repo>",
      `a published model, which need not be downloaded: ${anyOf(PUBLISHED_MODELS.map(({ repository }) => repository))}`,
    ),
    option(
      "--memory-limit <size>",
      "memory to assume, such as 12GB (default: what the machine has free)",
      parseMemory,
    ),
    option("--images <n>", "images of the edit to estimate (default: 1)", numberOf("images")),
    JSON_OPTION,
  ],
  run: async ({ flags }) => (await import("../doctor/doctor.ts")).runDoctor(flags),
});
