export type NodeLine = 20 | 22 | 24;
export const NODE_RELEASES: Readonly<Record<NodeLine, string>>;
export function fetchPackage(name: string, version: string): string;
export function fetchNode(line: NodeLine): string;
