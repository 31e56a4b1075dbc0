/** The server's public HTTP API, as far as the playground needs it. */
import { addressOf } from "./address.ts";

export interface LoraUse {
  name: string;
  scale: number;
}

/** The wire's input of an edit, without what the playground never sends. */
export interface EditInput {
  prompt: string;
  /** Left out of an edit without an image; a list if there are several. */
  image?: string | readonly string[];
  /** How a model that was trained with one image takes several; left out of an edit of one. */
  image_layout?: "stitch" | "index" | "offset";
  size: string;
  num_inference_steps: number;
  guidance: number;
  seed: number;
  negative_prompt: string;
  use_empty_negative_prompt?: boolean;
  true_cfg_scale: number;
  output_format: "png" | "jpeg" | "webp" | "avif";
  enable_safety_checker: boolean;
  preserve?: "off" | "exact" | "auto";
  /** In records of earlier versions: another name of `preserve`. */
  keep_unchanged?: boolean;
  enable_preview: boolean;
  /** Left out of an edit with one result. */
  num_images?: number;
  acceleration?: "auto";
  /** With `acceleration`, in decibels. */
  min_psnr?: number;
  /** White is edited; a data URL. */
  mask?: string;
  strength?: number;
  mask_feather?: number;
  /** Whether the output has `mask_url`. */
  enable_mask_output?: boolean;
  loras?: LoraUse[];
}

export type JobState = "IN_QUEUE" | "IN_PROGRESS" | "COMPLETED" | "FAILED" | "CANCELLED" | "TIMED_OUT";

/** Shares of the picture, 0 to 1: copied from the source, carried over to its detail, drawn by the network. */
export interface PreserveShares {
  kept: number;
  carried: number;
  drawn: number;
}

export interface JobOutput {
  image_url: string;
  /** All results, if there are several. */
  images?: { url?: string; seed: number; preserve_shares?: PreserveShares; mask_url?: string }[];
  cost: number;
  seed: number;
  size: string;
  working_size: string;
  model: string;
  changed_share?: number;
  preserve_shares?: PreserveShares;
  /** Where pixels were copied (white), carried over (grey), and drawn (black). */
  mask_url?: string;
  acceleration?: { computed_steps: number; reused_steps: number; estimated_psnr?: number };
  notices?: string[];
}

export interface JobReply {
  id: string;
  status: JobState;
  delayTime?: number;
  executionTime?: number;
  error?: string;
  output?: Partial<JobOutput>;
}

export interface StreamReply {
  status: JobState;
  stream: { output: { progress?: string; preview?: string; image_url?: string } }[];
}

export interface Price {
  amount: number;
  per: "image" | "megapixel";
  /** Whether the operator has set it; nothing else is shown as a cost. */
  is_set: boolean;
}

export interface Usage {
  days: { date: string; completed: number; failed: number; cost: number }[];
  total: { completed: number; failed: number; cost: number };
  price: Price;
  /** Whether the key is an operator's. */
  is_operator?: true;
}

export interface Requests {
  requests: {
    id: string;
    status: JobState;
    startedAt?: string;
    completedAt?: string;
    error?: string;
    output?: Partial<JobOutput>;
  }[];
}

/** The server answered, but not with what was requested. */
export class ApiError extends Error {
  readonly status: number;

  constructor(status: number, message: string) {
    super(message);
    this.name = "ApiError";
    this.status = status;
  }
}

/** The server did not answer at all. */
export class UnreachableError extends Error {
  constructor(cause: unknown) {
    super("The server does not answer.", { cause });
    this.name = "UnreachableError";
  }
}

export interface Api {
  /** The same API bound to the current key, whatever key replaces it. */
  withPresentKey(): Api;
  run(input: EditInput): Promise<{ id: string }>;
  status(id: string): Promise<JobReply>;
  /** Waits for news for at most `waitMs`. */
  stream(id: string, waitMs: number): Promise<StreamReply>;
  cancel(id: string): Promise<JobReply>;
  requests(): Promise<Requests>;
  usage(): Promise<Usage>;
  /** The LoRAs that an edit may name. */
  loras(): Promise<{ loras: string[] }>;
  health(): Promise<{ workers: { ready: number; initializing: number } }>;
  /** An image that browsers can show, of an address or a data URL. */
  picture(image: string): Promise<Blob>;
  /** How long an edit takes; empty until a worker has measured itself. */
  estimate(of: EstimateOf): Promise<Estimate>;
  /** A job's place in the queue. */
  place(id: string): Promise<QueuePlace>;
}

export interface EstimateOf {
  /** Of the result. */
  size: { width: number; height: number };
  /** Of the image that is edited, if there is one. */
  image?: { width: number; height: number } | undefined;
  guidance: number;
  isNegativeUsed: boolean;
}

/** Milliseconds of each result: once, and per step. */
export interface Estimate {
  fixed_ms?: number;
  step_ms?: number;
}

export interface QueuePlace {
  status: JobState;
  jobs_ahead: number;
  /** Until it starts; absent where that is not known. */
  wait_ms?: number;
}

/** A proxy without a server behind it, or a server that is stopping or starting. */
export const isAway = (status: number): boolean => [502, 503, 504].includes(status);

/** Calls paths of the server as a key. */
export interface Caller {
  /** @returns the JSON of the answer @throws ApiError, UnreachableError */
  call<Reply>(path: string, init?: RequestInit): Promise<Reply>;
  /** The same for an answer that is a picture. */
  picture(path: string, init?: RequestInit): Promise<Blob>;
}

/** @param prefix of all paths, such as `/v2/NAME`; `key` is called for every request */
export function createCaller(prefix: string, key: () => string): Caller {
  async function ask(path: string, init: RequestInit = {}): Promise<Response> {
    const headers = { authorization: `Bearer ${key()}`, "content-type": "application/json" };
    let response: Response;
    try {
      response = await fetch(addressOf(prefix + path), { ...init, headers });
    } catch (cause) {
      throw new UnreachableError(cause);
    }
    if (response.ok) return response;
    const body = (await response.json().catch(() => ({}))) as { error?: string };
    if (isAway(response.status)) throw new UnreachableError(body.error);
    throw new ApiError(response.status, body.error ?? `The server answered with status ${response.status}.`);
  }
  return {
    async call<Reply>(path: string, init?: RequestInit) {
      const response = await ask(path, init);
      return (await response.json().catch(() => ({}))) as Reply;
    },
    picture: async (path, init) => (await ask(path, init)).blob(),
  };
}

/** @param endpoint such as `/v2/NAME`; `key` is called for every request */
export function createApi(endpoint: string, key: () => string): Api {
  const { call, picture } = createCaller(endpoint, key);
  return {
    withPresentKey() {
      const present = key();
      return createApi(endpoint, () => present);
    },
    run: (input) => call("/run", { method: "POST", body: JSON.stringify({ input }) }),
    status: (id) => call(`/status/${id}`),
    stream: (id, waitMs) => call(`/stream/${id}?wait=${waitMs}`),
    cancel: (id) => call(`/cancel/${id}`, { method: "POST" }),
    requests: () => call("/requests?limit=100"),
    usage: () => call("/usage"),
    loras: () => call("/loras"),
    health: () => call("/health"),
    picture: (image) => picture("/picture", { method: "POST", body: JSON.stringify({ image }) }),
    estimate({ size, image, guidance, isNegativeUsed }) {
      const query = new URLSearchParams({
        size: `${size.width}*${size.height}`,
        guidance: String(guidance),
        negative: String(isNegativeUsed),
        ...(image && { image_size: `${image.width}*${image.height}` }),
      });
      return call(`/estimate?${query}`);
    },
    place: (id) => call(`/queue/${id}`),
  };
}
