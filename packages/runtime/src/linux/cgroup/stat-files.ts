// Reading the counters of a cgroup, and writing them as Go would: members of its "omitempty" are left out when they are zero, and
// numbers are exact, because a limit that is none is beyond what a double holds.
// portable: no host types here.

import { AT_FDCWD, O_CLOEXEC, O_DIRECTORY, O_RDONLY } from "@teu/sys/constants/fs";
import type { Kernel } from "@teu/sys/kernel";
import { readOrNull } from "./members.ts";

/** JSON with exact numbers; undefined members are left out. */
export type Exact = string | number | bigint | null | readonly Exact[] | { readonly [name: string]: Exact | undefined };

/** The text of an exact value, on one line. */
export function exactJson(value: Exact): string {
  if (typeof value === "bigint") return value.toString();
  if (value === null || typeof value !== "object") return JSON.stringify(value);
  if (Array.isArray(value)) return `[${(value as readonly Exact[]).map(exactJson).join(",")}]`;
  const members = Object.entries(value as Readonly<Record<string, Exact | undefined>>);
  return `{${members
    .flatMap(([name, one]) => (one === undefined ? [] : [`${JSON.stringify(name)}:${exactJson(one)}`]))
    .join(",")}}`;
}

/** The value, or nothing for zero and for an empty list or object: Go's omitempty. */
export function omitEmpty<T extends Exact>(value: T): T | undefined {
  if (value === 0n || value === 0 || value === "") return undefined;
  return Array.isArray(value) && value.length === 0 ? undefined : value;
}

/** The files of one cgroup directory; of none, all are missing. */
export class StatFiles {
  readonly #kernel: Kernel;
  readonly directory: string | null;

  constructor(kernel: Kernel, directory: string | null) {
    this.#kernel = kernel;
    this.directory = directory;
  }

  /** "" when there is no such file. */
  text(name: string): string {
    return this.directory === null ? "" : (readOrNull(this.#kernel, `${this.directory}/${name}`) ?? "").trim();
  }

  /** A file of one number; `none` for "max" and for a missing file 0. */
  number(name: string, none = 0n): bigint {
    const text = this.text(name);
    return text === "max" ? none : (parseCount(text) ?? 0n);
  }

  /** A file of "name value" lines. */
  table(name: string): Readonly<Record<string, bigint>> {
    return Object.fromEntries(
      this.text(name)
        .split("\n")
        .flatMap((line) => {
          const [key = "", value = ""] = line.split(" ");
          const count = parseCount(value);
          return key === "" || count === null ? [] : [[key, count] as const];
        }),
    );
  }

  /** Sizes of huge pages that the kernel has, as in file names: "2MB". */
  pageSizes(): string[] {
    return this.names(/^hugetlb\.([0-9]+[KMGT]B)\.(?:usage_in_bytes|current)$/);
  }

  /** What the first group of `pattern` is in the names of this directory's files. */
  names(pattern: RegExp): string[] {
    const { fs } = this.#kernel;
    if (this.directory === null) return [];
    const fd = fs.openat(AT_FDCWD, this.directory, O_RDONLY | O_DIRECTORY | O_CLOEXEC, 0);
    try {
      return fs.readDir(fd).flatMap(({ name }) => pattern.exec(name)?.[1] ?? []);
    } finally {
      fs.close(fd);
    }
  }
}

function parseCount(text: string): bigint | null {
  return /^-?\d+$/.test(text) ? BigInt(text) : null;
}

/** Pressure of a v2 "*.pressure" file: lines "some avg10=0.00 avg60=0.00 avg300=0.00 total=0". Nothing without the file. */
export function pressure(text: string): Exact | undefined {
  const line = (name: string): Exact | undefined => {
    const match = new RegExp(`^${name} avg10=([0-9.]+) avg60=([0-9.]+) avg300=([0-9.]+) total=([0-9]+)$`, "m").exec(
      text,
    );
    if (match === null) return undefined;
    const [, avg10 = "0", avg60 = "0", avg300 = "0", total = "0"] = match;
    return { avg10: Number(avg10), avg60: Number(avg60), avg300: Number(avg300), total: BigInt(total) };
  };
  return text === "" ? undefined : { some: line("some"), full: line("full") };
}
