export interface LibraryExport {
  name: string;
  kind: "function" | "const" | "class" | "interface" | "type";
  /** Its doc comment, without marks; empty if it has none. */
  doc: string;
  code: string;
}
export declare function readLibrary(folder?: string): LibraryExport[];
/** Each file's path from the root, and its text. */
export declare function libraryPages(): Promise<Record<string, string>>;
