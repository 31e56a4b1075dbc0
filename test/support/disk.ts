/**
 * A record of what is done to the files of a folder, and what a disk may hold of it after a power cut. All of this process's
 * calls of `node:fs` that change files are recorded, as PGlite and our own code make them.
 *
 * The disk: what was synced is there. Every other write is there, or not, or by sectors of 512 bytes. Names change in
 * their order, as in the journals of ext4, XFS and APFS: those up to some moment, which is no earlier than the last one
 * that a sync of the file or of its folder has covered.
 */
import fs from "node:fs";
import { syncBuiltinESMExports } from "node:module";
import path from "node:path";

type Change =
  | { kind: "write"; file: number; position: number; bytes: Uint8Array }
  | { kind: "truncate"; file: number; size: number }
  | { kind: "sync"; node: number }
  /** Names change: `child` gets the new one, and loses the old one. */
  | { kind: "name"; child: number; from?: Name | undefined; to?: Name | undefined };
interface Name {
  folder: number;
  name: string;
}

const SECTOR = 512;
const ROOT = 0;

/** Files by number and folders by number; a folder's entries by name. */
class Disk {
  readonly contents = new Map<number, Uint8Array>();
  readonly folders = new Map<number, Map<string, number>>([[ROOT, new Map()]]);

  find(names: readonly string[]): number | undefined {
    let node: number | undefined = ROOT;
    for (const name of names) node = node === undefined ? undefined : this.folders.get(node)?.get(name);
    return node;
  }

  rename({ child, from, to }: Change & { kind: "name" }): void {
    if (from !== undefined) this.folders.get(from.folder)!.delete(from.name);
    if (to !== undefined) this.folders.get(to.folder)!.set(to.name, child);
  }

  write(file: number, position: number, bytes: Uint8Array): void {
    let content = this.contents.get(file) ?? new Uint8Array();
    if (content.length < position + bytes.length) content = this.resize(file, position + bytes.length);
    content.set(bytes, position);
  }

  resize(file: number, size: number): Uint8Array {
    const content = new Uint8Array(size);
    content.set((this.contents.get(file) ?? new Uint8Array()).subarray(0, size));
    this.contents.set(file, content);
    return content;
  }

  /** Writes it all into a folder, which must be missing. */
  save(folder: string, node = ROOT): void {
    fs.mkdirSync(folder, { mode: 0o700 });
    for (const [name, child] of this.folders.get(node)!) {
      const file = path.join(folder, name);
      if (this.folders.has(child)) this.save(file, child);
      else fs.writeFileSync(file, this.contents.get(child) ?? new Uint8Array());
    }
  }
}

export interface Recording {
  /** How much has happened: a moment for `afterPowerCut`. */
  now(): number;
  /** Files that were synced since a moment, by their names. */
  synced(since: number): string[];
  /**
   * Writes into `folder`, which must be missing, what a disk may hold whose power was cut at a moment.
   * @param random draws from [0, 1)
   * @param hasSynced whether syncs did anything
   */
  afterPowerCut(moment: number, random: () => number, folder: string, hasSynced?: boolean): void;
  stop(): void;
}

/** Records what this process does to `root`, an empty folder, from now on. */
export function recordDisk(root: string): Recording {
  const journal: Change[] = [];
  const live = new Disk();
  const isFolder = new Set([ROOT]);
  const open = new Map<number, { node: number; position: number; isAppending: boolean }>();
  let numbers = ROOT;

  const namesOf = (file: fs.PathLike): string[] | undefined => {
    const relative = path.relative(root, path.resolve(String(file)));
    if (relative.startsWith("..")) return undefined;
    return relative === "" ? [] : relative.split(path.sep);
  };
  const placeOf = (names: readonly string[]): Name => ({
    folder: live.find(names.slice(0, -1))!,
    name: names.at(-1)!,
  });
  const note = (change: Change): void => {
    journal.push(change);
    if (change.kind === "name") live.rename(change);
  };
  const create = (names: readonly string[], asFolder: boolean): number => {
    const child = (numbers += 1);
    if (asFolder) {
      isFolder.add(child);
      live.folders.set(child, new Map());
    }
    note({ kind: "name", child, to: placeOf(names) });
    return child;
  };
  const remove = (names: readonly string[]): void => {
    note({ kind: "name", child: live.find(names)!, from: placeOf(names) });
  };
  const sync = (descriptor: number): void => {
    const node = open.get(descriptor)?.node;
    if (node !== undefined) note({ kind: "sync", node });
  };

  const originals: Record<string, unknown> = {};
  function after<Call extends unknown[], Result = unknown>(
    key: keyof typeof fs,
    record: (call: Call, result: Result, known: number | undefined) => void,
  ): void {
    const original = fs[key] as (...call: unknown[]) => unknown;
    originals[key] = original;
    (fs as Record<string, unknown>)[key] = (...call: unknown[]) => {
      // Known before the call, which may remove it.
      const names = typeof call[0] === "string" ? namesOf(call[0]) : undefined;
      const result = original(...call);
      record(call as Call, result as Result, names && live.find(names));
      return result;
    };
  }
  after("mkdirSync", ([file]: [string], _result, known) => {
    const names = namesOf(file);
    if (names !== undefined && known === undefined) create(names, true);
  });
  after("openSync", ([file, flags]: [string, string | number], descriptor: number, known) => {
    const names = namesOf(file);
    if (names === undefined) return;
    const node = known ?? create(names, false);
    const { O_APPEND, O_TRUNC } = fs.constants;
    const isNumber = typeof flags === "number";
    if (known !== undefined && (isNumber ? (flags & O_TRUNC) !== 0 : String(flags).startsWith("w"))) {
      note({ kind: "truncate", file: node, size: 0 });
    }
    const isAppending = isNumber && (flags & O_APPEND) !== 0;
    open.set(descriptor, { node, position: 0, isAppending });
  });
  after("closeSync", ([descriptor]: [number]) => void open.delete(descriptor));
  after(
    "writeSync",
    (
      [descriptor, buffer, offset, , position]: [number, Uint8Array, number, number, number?],
      count: number,
    ) => {
      const file = open.get(descriptor);
      if (file === undefined) return;
      if (file.isAppending) throw new Error("Appending is not recorded.");
      const bytes = Uint8Array.from(new Uint8Array(buffer.buffer, buffer.byteOffset + (offset ?? 0), count));
      note({ kind: "write", file: file.node, position: position ?? file.position, bytes });
      if (typeof position !== "number") file.position += count;
    },
  );
  after("writeFileSync", ([file, content]: [string, string], _result, known) => {
    const names = namesOf(file);
    if (names === undefined) return;
    const node = known ?? create(names, false);
    note({ kind: "truncate", file: node, size: 0 });
    note({ kind: "write", file: node, position: 0, bytes: Buffer.from(content) });
  });
  after("ftruncateSync", ([descriptor, size]: [number, number?]) => {
    const file = open.get(descriptor);
    if (file !== undefined) note({ kind: "truncate", file: file.node, size: size ?? 0 });
  });
  after("truncateSync", (call: [string, number?], _result, known) => {
    if (known !== undefined) note({ kind: "truncate", file: known, size: call[1] ?? 0 });
  });
  after("renameSync", ([from, to]: [string, string], _result, known) => {
    const [source, target] = [namesOf(from), namesOf(to)];
    if (source === undefined && target === undefined) return;
    note({ kind: "name", child: known!, from: placeOf(source!), to: placeOf(target!) });
  });
  for (const key of ["unlinkSync", "rmdirSync"] as const) {
    after(key, ([file]: [string], _result, known) => {
      if (known !== undefined) remove(namesOf(file)!);
    });
  }
  after("rmSync", ([file]: [string], _result, known) => {
    if (known !== undefined) remove(namesOf(file)!);
  });
  after("fsyncSync", ([descriptor]: [number]) => sync(descriptor));
  after("fdatasyncSync", ([descriptor]: [number]) => sync(descriptor));
  const { fdatasync } = fs;
  originals["fdatasync"] = fdatasync;
  (fs as Record<string, unknown>)["fdatasync"] = (descriptor: number, done: (error: Error | null) => void) =>
    fdatasync(descriptor, (error) => {
      if (error === null) sync(descriptor);
      done(error);
    });

  syncBuiltinESMExports();

  return {
    now: () => journal.length,
    synced(since) {
      const names = new Map<number, string>();
      for (const change of journal)
        if (change.kind === "name" && change.to) names.set(change.child, change.to.name);
      return journal
        .slice(since)
        .flatMap((change) => (change.kind === "sync" ? [names.get(change.node)!] : []));
    },
    afterPowerCut(moment, random, folder, hasSynced = true) {
      const before = journal.slice(0, moment);
      const seen = hasSynced ? before : before.filter(({ kind }) => kind !== "sync");
      replay(seen, isFolder, random).save(folder);
    },
    stop() {
      Object.assign(fs, originals);
      syncBuiltinESMExports();
    },
  };
}

function replay(journal: readonly Change[], isFolder: ReadonlySet<number>, random: () => number): Disk {
  const disk = new Disk();
  for (const folder of isFolder) disk.folders.set(folder, new Map());
  const covered = journal.map((change) => change.kind === "sync").lastIndexOf(true);
  const syncedAt = new Map<number, number>();
  let names = -1;
  // What the last name of each file or folder was, and the last change in each folder.
  const latest = new Map<number, number>();
  journal.forEach((change, index) => {
    if (change.kind === "name") {
      for (const node of [change.child, change.from?.folder, change.to?.folder]) {
        if (node !== undefined) latest.set(node, index);
      }
    }
    if (change.kind !== "sync" || index > covered) return;
    syncedAt.set(change.node, index);
    names = Math.max(names, latest.get(change.node) ?? -1);
  });
  // Nothing more, everything, or some of it: for names, and for the unsynced writes of each file.
  const share = [0, 1, 0.5][Math.floor(random() * 3)]!;
  const until = names + Math.round((journal.length - 1 - names) * (share === 0.5 ? random() : share));
  const bySector = random() < 0.5;
  const isKept = (): boolean => random() < share;
  journal.forEach((change, index) => {
    if (change.kind === "name") {
      if (index <= until) disk.rename(change);
    } else if (change.kind === "truncate") {
      const isSynced = index < (syncedAt.get(change.file) ?? -1);
      if (isSynced || isKept()) disk.resize(change.file, change.size);
    } else if (change.kind === "write") {
      const { file, position, bytes } = change;
      const isSynced = index < (syncedAt.get(file) ?? -1);
      if (isSynced || !bySector) {
        if (isSynced || isKept()) disk.write(file, position, bytes);
        return;
      }
      // Sectors lie where they lie in the file.
      for (let start = 0; start < bytes.length;) {
        const end = Math.min(bytes.length, start + SECTOR - ((position + start) % SECTOR));
        if (isKept()) disk.write(file, position + start, bytes.subarray(start, end));
        start = end;
      }
    }
  });
  return disk;
}
