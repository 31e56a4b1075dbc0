/** The tabs that only show: queue, workers, keys and disk. */
import { showCost } from "../price.ts";
import { element } from "../dom.ts";
import type { DiskReply, KeyRow, KeysReply, QueueRow, WorkerRow } from "./api.ts";
import { bytesText, facts, keyText, table, timeOf } from "./parts.ts";

export const drawQueue = ({ keys }: { keys: QueueRow[] }): HTMLElement[] => [
  table(
    "Jobs that have not ended, by key",
    [
      { name: "Key", cell: keyText },
      { name: "Endpoint", cell: ({ endpoint }) => endpoint },
      { name: "Waiting", cell: ({ queued }) => String(queued), isNumber: true },
      { name: "Running", cell: ({ running }) => String(running), isNumber: true },
      { name: "In review", cell: ({ held }) => String(held), isNumber: true },
      { name: "Waits since", cell: ({ oldestAt }) => (oldestAt ? timeOf(oldestAt) : "") },
    ],
    keys,
    "No job waits or runs.",
  ),
];

/** @param openJob shows the course of a job */
export function drawWorkers(
  { workers }: { workers: WorkerRow[] },
  openJob: (id: string) => void,
): HTMLElement[] {
  const rows = workers.flatMap((worker) => worker.endpoints.map((endpoint) => ({ worker, endpoint })));
  return [
    table(
      "Workers that are alive, and what their engines run on",
      [
        { name: "Worker", cell: ({ worker }) => worker.id },
        {
          name: "Status",
          cell: ({ worker, endpoint }) =>
            endpoint.isFaulty
              ? "cannot load"
              : worker.fault
                ? `${worker.status}: ${worker.fault}`
                : worker.status,
        },
        { name: "Endpoint", cell: ({ endpoint }) => endpoint.endpoint },
        { name: "Model", cell: ({ endpoint }) => endpoint.model ?? "not loaded" },
        { name: "Device", cell: ({ endpoint }) => endpoint.device ?? "" },
        {
          name: "A step",
          cell: ({ endpoint: { stepMs } }) =>
            stepMs === undefined ? "" : `${stepMs.toFixed(stepMs < 10 ? 1 : 0)} ms`,
          isNumber: true,
        },
        { name: "Runs", cell: ({ worker: { jobId } }) => (jobId ? jobLink(jobId, openJob) : "") },
      ],
      rows,
      "No worker is alive.",
    ),
  ];
}

/** @param openJob shows the course of a job */
export function jobLink(jobId: string, openJob: (id: string) => void): HTMLElement {
  const link = element("button", { type: "button", class: "link" }, jobId);
  link.addEventListener("click", () => openJob(jobId));
  return link;
}

/** @param action what can be done with a key that is not revoked */
export function drawKeys({ keys, limits }: KeysReply, action: (key: KeyRow) => HTMLElement): HTMLElement[] {
  const calls = `${limits.runCalls} /run, ${limits.runsyncCalls} /runsync and ${limits.statusCalls} /status`;
  return [
    facts([
      ["Each key stores", `at most ${bytesText(limits.storedBytes)}`],
      ["Each key has waiting", `at most ${limits.maxQueued} jobs, more with more workers`],
      ["Each key calls", `${calls} in ${limits.windowSeconds} s, more with more workers`],
    ]),
    table(
      "API keys; edits and cost are those of the last 30 days",
      [
        { name: "Name", cell: ({ name }) => name },
        { name: "Key", cell: ({ prefix }) => element("code", {}, `${prefix}…`) },
        {
          name: "State",
          cell: ({ revokedAt, isOperator }) => (revokedAt ? "revoked" : isOperator ? "operator" : "client"),
        },
        // Near the name: on a phone, the end of the row is out of sight.
        { name: "Change", cell: (key) => (key.revokedAt ? "" : action(key)) },
        { name: "Last use", cell: ({ lastUsedAt }) => (lastUsedAt ? timeOf(lastUsedAt) : "never") },
        { name: "Stored", cell: ({ storedBytes }) => bytesText(storedBytes), isNumber: true },
        { name: "Edits", cell: ({ completed }) => String(completed), isNumber: true },
        { name: "Failed", cell: ({ failed }) => String(failed), isNumber: true },
        { name: "Cost", cell: ({ cost }) => showCost(cost), isNumber: true },
        {
          name: "Flagged from",
          cell: ({ safetyThreshold }) => (safetyThreshold === undefined ? "as set" : String(safetyThreshold)),
          isNumber: true,
        },
      ],
      keys,
      "There are no keys.",
    ),
    element(
      "p",
      { class: "faint" },
      "Operators' keys are created, and keys changed, on the machine of the service: ",
      element("code", {}, "npx retouch keys --help"),
    ),
  ];
}

const KINDS: Readonly<Record<string, string>> = {
  inputs: "Pictures to edit",
  outputs: "Results with an address",
  inline: "Results shown as data URLs",
  states: "States of long edits",
};

export function drawDisk({ disk, databaseBytes, kinds }: DiskReply): HTMLElement[] {
  const rows = [
    ...kinds.map(({ kind, files, bytes }) => ({ name: KINDS[kind] ?? kind, files: String(files), bytes })),
    { name: "Database", files: "", bytes: databaseBytes },
  ];
  const parts: HTMLElement[] = [];
  if (disk) {
    const used = disk.totalBytes - disk.freeBytes;
    const text = `${bytesText(disk.freeBytes)} of ${bytesText(disk.totalBytes)} free`;
    parts.push(
      element(
        "p",
        {},
        `The disk of the data folder has ${text}; below ${bytesText(disk.keptFreeBytes)}, no picture is taken.`,
      ),
      element("progress", { value: used, max: disk.totalBytes, "aria-label": "Used share of the disk" }),
    );
  }
  parts.push(
    table(
      "What this service stores",
      [
        { name: "Kind", cell: ({ name }) => name },
        { name: "Files", cell: ({ files }) => files, isNumber: true },
        { name: "Size", cell: ({ bytes }) => bytesText(bytes), isNumber: true },
      ],
      rows,
      "",
    ),
  );
  return parts;
}
