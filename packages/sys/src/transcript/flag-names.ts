// Flag bits as words, by their names in the kernel's headers.
// portable: no host types here.

import * as fs from "../constants/fs.ts";
import * as mount from "../constants/mount.ts";
import * as process from "../constants/process.ts";
import type { ArgumentKind } from "./signatures.ts";

type Table = readonly (readonly [string, number])[];

const pick = (source: Readonly<Record<string, unknown>>, pattern: RegExp): Table =>
  Object.entries(source).flatMap(([name, value]) =>
    pattern.test(name) && typeof value === "number" && value !== 0 ? [[name, value] as const] : [],
  );

const CLOEXEC = fs.O_CLOEXEC;

const TABLES: Readonly<Partial<Record<ArgumentKind, Table>>> = {
  // Every fd is close-on-exec; saying so each time would hide the rest.
  open: pick(fs, /^O_(?!CLOEXEC|SYNC)/),
  resolve: pick(fs, /^RESOLVE_/),
  at: pick(fs, /^AT_(?!FDCWD)/),
  tree: [...pick(mount, /^OPEN_TREE_CLONE$/), ...pick(fs, /^AT_(RECURSIVE|EMPTY_PATH)$/)],
  attribute: pick(mount, /^MOUNT_ATTR_(?!_)/),
  umount: pick(mount, /^(MNT_|UMOUNT_)/),
  clone: pick(process, /^CLONE_NEW/),
  move: pick(mount, /^MOVE_MOUNT_/),
  propagation: pick(mount, /^MS_(PRIVATE|SLAVE|SHARED|UNBINDABLE)$/),
};

/** "O_PATH|O_DIRECTORY"; bits without a name in hex at the end. */
export function flagNames(kind: ArgumentKind, bits: number): string {
  let left = kind === "open" || kind === "tree" ? bits & ~CLOEXEC : bits;
  const words: string[] = [];
  for (const [name, value] of TABLES[kind] ?? []) {
    if ((left & value) !== value) continue;
    words.push(name);
    left &= ~value;
  }
  if (left !== 0) words.push(`0x${(left >>> 0).toString(16)}`);
  return words.join("|");
}
