/** Answers of the routes for operators, as `examples.ts` has them. */
import type { OperationExamples } from "./operation-examples.ts";

const JOB_ID = "6fd3d0f1-3f7c-4d0c-9a56-0d1bfa0c9d1e-u1";
const KEY_ID = "f3a1";
const MADE_KEY_ID = "key_3f9a1c0b7d52e846";
const ENDPOINT = "black-forest-labs-flux-1-kontext-dev";
const [BEGAN, ENDED, UNTIL] = [
  "2026-11-30T09:15:00.000Z",
  "2026-11-30T09:15:01.130Z",
  "2026-12-03T09:15:01.130Z",
];
const SAFETY = {
  checker: { name: "safety", sha256: "9f2c1b7d4e5a60718293a4b5c6d7e8f90a1b2c3d4e5f60718293a4b5c6d7e8f9" },
  threshold: 0.5,
  scores: [0.62],
};
const page = { offset: "0", limit: "50" };
const reason = "A statue.";
const decision = (verdict: string): OperationExamples => ({
  parameters: { id: JOB_ID },
  body: { reason },
  answer: { jobId: JOB_ID, verdict },
});

export const OPERATOR_EXAMPLES: Readonly<Record<string, OperationExamples>> = {
  "/operator/keys": {
    answer: {
      keys: [
        {
          id: KEY_ID,
          name: "shop",
          prefix: "rt_8Yq2",
          createdAt: BEGAN,
          lastUsedAt: ENDED,
          safetyThreshold: 0.4,
          storedBytes: 18_432_000,
          completed: 128,
          failed: 1,
          cost: 4.03,
        },
      ],
      limits: {
        storedBytes: 50_000_000_000,
        maxQueued: 500,
        windowSeconds: 10,
        runCalls: 1000,
        runsyncCalls: 2000,
        statusCalls: 2000,
      },
    },
  },
  "post /operator/keys": {
    body: { name: "shop", safetyThreshold: 0.4 },
    answer: {
      id: MADE_KEY_ID,
      name: "shop",
      prefix: "rtk_8Yq2",
      safetyThreshold: 0.4,
      key: "rtk_8Yq2mXl2Zb3cYd4eWf5gVh6iUj7k",
      webhookSecret: "whsec_d1Q20RCxvcYpoARliTNtjUko9h7o6Bx2",
    },
  },
  "/operator/keys/{id}/revoke": {
    parameters: { id: MADE_KEY_ID },
    answer: { id: MADE_KEY_ID, revoked: true },
  },
  "/operator/queue": {
    answer: {
      keys: [
        {
          keyId: KEY_ID,
          keyName: "shop",
          endpoint: ENDPOINT,
          queued: 3,
          running: 1,
          held: 1,
          oldestAt: BEGAN,
        },
      ],
    },
  },
  "/operator/workers": {
    answer: {
      workers: [
        {
          id: "oqk7ao1uomckye",
          status: "running",
          seenAt: ENDED,
          jobId: JOB_ID,
          endpoints: [{ endpoint: ENDPOINT, model: "tiny", device: "cpu", stepMs: 13.4 }],
        },
      ],
    },
  },
  "/operator/disk": {
    answer: {
      disk: { freeBytes: 78_000_000_000, totalBytes: 250_000_000_000, keptFreeBytes: 1_000_000_000 },
      databaseBytes: 9_437_184,
      kinds: [{ kind: "outputs", files: 128, bytes: 18_432_000 }],
    },
  },
  "/operator/jobs/{id}": {
    parameters: { id: JOB_ID },
    answer: {
      id: JOB_ID,
      keyId: KEY_ID,
      keyName: "shop",
      endpoint: ENDPOINT,
      status: "IN_PROGRESS",
      isHeld: true,
      safety: SAFETY,
      course: [
        { at: BEGAN, event: "queued" },
        { at: BEGAN, event: "started", worker: "oqk7ao1uomckye", attempt: 1 },
        { at: ENDED, event: "held" },
      ],
      deliveries: [],
    },
  },
  "/operator/reviews": {
    parameters: page,
    answer: {
      reviews: [
        {
          jobId: JOB_ID,
          keyId: KEY_ID,
          keyName: "shop",
          endpoint: ENDPOINT,
          heldAt: ENDED,
          until: UNTIL,
          prompt: "Make it night",
          safety: SAFETY,
          pictures: [{ bytes: 1_204_331 }],
        },
      ],
      total: 1,
      offset: 0,
      limit: 50,
    },
  },
  "/operator/reviews/{id}/pictures/{place}": { parameters: { id: JOB_ID, place: "0" } },
  "/operator/reviews/{id}/approve": decision("approved"),
  "/operator/reviews/{id}/reject": decision("rejected"),
  "/operator/review-log": {
    parameters: { ...page, job: JOB_ID },
    answer: {
      entries: [
        {
          at: ENDED,
          jobId: JOB_ID,
          keyId: KEY_ID,
          event: "approved",
          actor: { keyId: "0b77", name: "operations" },
          reason,
          safety: SAFETY,
        },
      ],
      offset: 0,
      limit: 50,
    },
  },
};
