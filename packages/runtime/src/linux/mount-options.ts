// Mount options of config.json (runtime-spec, "Mounts"; mount(8) names) into attributes, propagation and file system data.
// portable: no host types here.

import {
  MOUNT_ATTR_NOATIME,
  MOUNT_ATTR_NODEV,
  MOUNT_ATTR_NODIRATIME,
  MOUNT_ATTR_NOEXEC,
  MOUNT_ATTR_NOSUID,
  MOUNT_ATTR_NOSYMFOLLOW,
  MOUNT_ATTR_RDONLY,
  MOUNT_ATTR_RELATIME,
  MOUNT_ATTR_STRICTATIME,
  MOUNT_ATTR__ATIME,
  MS_PRIVATE,
  MS_SHARED,
  MS_SLAVE,
  MS_UNBINDABLE,
} from "@teu/sys/constants/mount";
import { table } from "../table.ts";

/** Attribute bits to set and to clear. */
export interface AttributeChange {
  readonly set: number;
  readonly clear: number;
}

/** What a list of options says. */
export interface MountOptions {
  readonly bind: boolean;
  readonly recursive: boolean;
  readonly remount: boolean;
  /** This mount only. */
  readonly attributes: AttributeChange;
  /** "rro" and its kin: the whole tree. */
  readonly recursiveAttributes: AttributeChange;
  /** MS_SHARED ... or 0. */
  readonly propagation: number;
  readonly propagationRecursive: boolean;
  /** "idmap" or "ridmap". */
  readonly idmap: "" | "idmap" | "ridmap";
  /** What follows "idmap=", in crun's syntax; "" for the plain option. */
  readonly idmapText: string;
  /** Flags of the superblock, by their fsconfig names: "sync", "lazytime". */
  readonly superFlags: readonly string[];
  /** Everything else, for the file system: "size=64k", "newinstance". */
  readonly data: readonly string[];
  /** Copy what the image has at the destination into the new tmpfs. */
  readonly copyUp: boolean;
  /** crun's "copy-symlink": a source that is a symbolic link is made again at the destination instead of mounted. */
  readonly copySymlink: boolean;
  /** crun's "src-nofollow" and "dest-nofollow": a symbolic link there is meant itself. */
  readonly sourceNoFollow: boolean;
  readonly destinationNoFollow: boolean;
}

const ATIME = MOUNT_ATTR__ATIME;

/** name -> [set, clear]; "r" + name is the recursive form. */
const ATTRIBUTES = table<readonly [number, number]>({
  ro: [MOUNT_ATTR_RDONLY, 0],
  rw: [0, MOUNT_ATTR_RDONLY],
  nosuid: [MOUNT_ATTR_NOSUID, 0],
  suid: [0, MOUNT_ATTR_NOSUID],
  nodev: [MOUNT_ATTR_NODEV, 0],
  dev: [0, MOUNT_ATTR_NODEV],
  noexec: [MOUNT_ATTR_NOEXEC, 0],
  exec: [0, MOUNT_ATTR_NOEXEC],
  nodiratime: [MOUNT_ATTR_NODIRATIME, 0],
  diratime: [0, MOUNT_ATTR_NODIRATIME],
  relatime: [MOUNT_ATTR_RELATIME, ATIME],
  norelatime: [MOUNT_ATTR_STRICTATIME, ATIME],
  noatime: [MOUNT_ATTR_NOATIME, ATIME],
  atime: [MOUNT_ATTR_RELATIME, ATIME],
  strictatime: [MOUNT_ATTR_STRICTATIME, ATIME],
  nostrictatime: [MOUNT_ATTR_RELATIME, ATIME],
  nosymfollow: [MOUNT_ATTR_NOSYMFOLLOW, 0],
  symfollow: [0, MOUNT_ATTR_NOSYMFOLLOW],
});

const PROPAGATION = table<number>({
  private: MS_PRIVATE,
  shared: MS_SHARED,
  slave: MS_SLAVE,
  unbindable: MS_UNBINDABLE,
});

/** Superblock flags; an empty string means "off, which is the default". */
const SUPER_FLAGS = table<string>({
  sync: "sync",
  async: "",
  dirsync: "dirsync",
  mand: "mand",
  nomand: "",
  lazytime: "lazytime",
  nolazytime: "",
  iversion: "iversion",
  noiversion: "",
  silent: "silent",
  loud: "",
  defaults: "",
  acl: "",
  noacl: "",
});

/** What the rest says, when it says it for the option alone. */
const SWITCHES = table<Partial<MountOptions>>({
  bind: { bind: true },
  rbind: { bind: true, recursive: true },
  remount: { remount: true },
  idmap: { idmap: "idmap" },
  ridmap: { idmap: "ridmap" },
  tmpcopyup: { copyUp: true },
  "copy-symlink": { copySymlink: true },
  "src-nofollow": { sourceNoFollow: true },
  "dest-nofollow": { destinationNoFollow: true },
});

interface Draft extends MountOptions {
  readonly attributes: { set: number; clear: number };
  readonly recursiveAttributes: { set: number; clear: number };
  readonly superFlags: string[];
  readonly data: string[];
}

/** What each name does: one look-up for each option of each mount of each start. */
const MEANINGS = table<(draft: Draft) => void>({
  ...meanings(ATTRIBUTES, "", (draft, pair) => change(draft.attributes, pair)),
  ...meanings(ATTRIBUTES, "r", (draft, pair) => change(draft.recursiveAttributes, pair)),
  ...meanings(PROPAGATION, "", (draft, propagation) =>
    Object.assign(draft, { propagation, propagationRecursive: false }),
  ),
  ...meanings(PROPAGATION, "r", (draft, propagation) =>
    Object.assign(draft, { propagation, propagationRecursive: true }),
  ),
  ...meanings(SUPER_FLAGS, "", (draft, flag) => {
    if (flag !== "") draft.superFlags.push(flag);
  }),
  ...meanings(SWITCHES, "", (draft, change) => Object.assign(draft, change)),
});

function meanings<T>(
  names: Readonly<Record<string, T>>,
  prefix: string,
  act: (draft: Draft, value: T) => void,
): Record<string, (draft: Draft) => void> {
  return Object.fromEntries(
    Object.entries(names).map(([name, value]) => [`${prefix}${name}`, (draft: Draft) => act(draft, value)]),
  );
}

/** Every option name that is not file system data, for `features`. */
export const MOUNT_OPTION_NAMES: readonly string[] = Object.keys(MEANINGS).sort();

/** Reads the options in order; later ones win, as in mount(8). Nothing is refused here: unknown names are data. */
export function parseMountOptions(options: readonly string[]): MountOptions {
  const draft: Draft = {
    bind: false,
    recursive: false,
    remount: false,
    attributes: { set: 0, clear: 0 },
    recursiveAttributes: { set: 0, clear: 0 },
    propagation: 0,
    propagationRecursive: false,
    idmap: "",
    idmapText: "",
    superFlags: [],
    data: [],
    copyUp: false,
    copySymlink: false,
    sourceNoFollow: false,
    destinationNoFollow: false,
  };
  for (const option of options) {
    const meaning = MEANINGS[option];
    if (meaning !== undefined) meaning(draft);
    else if (option.startsWith("idmap=") || option.startsWith("ridmap=")) {
      const at = option.indexOf("=");
      Object.assign(draft, { idmap: option.slice(0, at), idmapText: option.slice(at + 1) });
    } else if (!option.includes(",")) {
      if (option !== "") draft.data.push(option);
    }
    // Several at once, as in mount(8): each becomes a parameter of its own. Quoted commas are SELinux's (context="...:c1,c2").
    else draft.data.push(...option.split(/,(?=(?:[^"]*"[^"]*")*[^"]*$)/).filter((part) => part !== ""));
  }
  return draft;
}

function change(target: { set: number; clear: number }, [set, clear]: readonly [number, number]): void {
  target.set = (target.set & ~clear) | set;
  target.clear = (target.clear & ~set) | clear;
}
