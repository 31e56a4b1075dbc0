export function stubEngine(options?: {
  log?: string;
  stepMs?: number;
  steps?: number;
  fail?: (prompt: string) => Error | undefined;
}): object;
