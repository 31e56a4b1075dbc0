export interface Provider {
  project: string;
  version: string;
  wheel: string;
  sha256: string;
  byteLength: number;
  files: string[];
}
export const PROVIDER: Provider;
export function installProvider(options: {
  provider?: Provider;
  file?: string | undefined;
  index?: string | undefined;
  folder: string;
  say: (line: string) => void;
}): Promise<void>;
