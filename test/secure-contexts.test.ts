/** The playground is opened over plain http: it must not need what browsers keep for https and localhost. */
import { describe, expect, it } from "vitest";
import { markedNames, namesIn, type SecureNames, usedNames } from "./support/secure-contexts.ts";

/** Beside what is marked: whole objects, at which most of it hangs, and what TypeScript's library does not know. */
const MORE = [
  "navigator",
  "crypto",
  "cookieStore",
  "geolocation",
  "getUserMedia",
  "isSecureContext",
  "Notification",
  "showDirectoryPicker",
  "showOpenFilePicker",
  "showSaveFilePicker",
];

/** The files that may, each with another way beside it. */
const ALLOWED = {
  "clipboard.ts": ["Clipboard", "clipboard", "navigator"],
  "random-id.ts": ["crypto"],
};

const marked = markedNames();
const names: SecureNames = { ...marked, globals: new Set([...marked.globals, ...MORE]) };

describe("the names of secure contexts", () => {
  it("are those that TypeScript's library marks, in interfaces, members and globals", () => {
    const { globals, members } = marked;
    expect(globals.size).toBeGreaterThan(80);
    for (const name of [
      "Clipboard",
      "SubtleCrypto",
      "ServiceWorker",
      "StorageManager",
      "LockManager",
      "caches",
    ])
      expect([...globals]).toContain(name);
    for (const name of ["randomUUID", "subtle", "clipboard", "share", "locks", "storage", "serviceWorker"])
      expect([...members]).toContain(name);
    for (const name of ["fetch", "indexedDB", "OffscreenCanvas", "createImageBitmap", "Blob"])
      expect([...globals]).not.toContain(name);
    expect([...members]).not.toContain("getRandomValues");
  });

  it.each([
    ["crypto.randomUUID()", ["crypto", "randomUUID"]],
    ["const { clipboard } = navigator;", ["navigator"]],
    ["await globalThis\n  .caches.open(name)", ["caches"]],
    ["new Notification(title)", ["Notification"]],
    ["/* crypto.subtle */ // navigator.share()", []],
    ["const url = 'https://navigator/';", ["navigator"]],
    ["element.share = share;", ["share"]],
  ])("are found in %j", (text, found) => {
    expect(namesIn(text, names)).toEqual(found);
  });
});

it("the playground uses what exists in secure contexts only in the files that have another way", () => {
  expect(usedNames(names)).toEqual(ALLOWED);
});
