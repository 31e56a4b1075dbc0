/** What the benchmark uses of autocannon, which has no types of its own. */
declare module "autocannon" {
  export interface Request {
    method: "GET" | "POST";
    path: string;
    headers?: Record<string, string>;
    body?: string;
  }

  export interface Result {
    /** The number of answers with a status of 2xx. */
    "2xx": number;
    non2xx: number;
    /** Calls without an answer, those that took too long included. */
    errors: number;
    /** Seconds from the first call to the last answer. */
    duration: number;
    /** Milliseconds. */
    latency: { p50: number; p99: number };
  }

  export default function autocannon(options: {
    url: string;
    /** Each has one call open at any moment. */
    connections: number;
    /** Seconds. */
    duration: number;
    requests: Request[];
  }): Promise<Result>;
}
