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

/** Options that only say yes. */
const SWITCHES: Readonly<
  Record<string, "bind" | "remount" | "copyUp" | "copySymlink" | "sourceNoFollow" | "destinationNoFollow">
> = {
  bind: "bind",
  remount: "remount",
  tmpcopyup: "copyUp",
  "copy-symlink": "copySymlink",
  "src-nofollow": "sourceNoFollow",
  "dest-nofollow": "destinationNoFollow",
};

/** Every option name that is not file system data, for `features`. */
export const MOUNT_OPTION_NAMES: readonly string[] = [
  ...Object.keys(ATTRIBUTES),
  ...Object.keys(ATTRIBUTES).map((name) => `r${name}`),
  ...Object.keys(PROPAGATION),
  ...Object.keys(PROPAGATION).map((name) => `r${name}`),
  ...Object.keys(SUPER_FLAGS),
  "bind",
  "rbind",
  "remount",
  "idmap",
  "ridmap",
  "tmpcopyup",
  "copy-symlink",
  "src-nofollow",
  "dest-nofollow",
].sort();

/** Reads the options in order; later ones win, as in mount(8). Nothing is refused here: unknown names are data. */
export function parseMountOptions(options: readonly string[]): MountOptions {
  const own = { set: 0, clear: 0 };
  const all = { set: 0, clear: 0 };
  const out = {
    bind: false,
    recursive: false,
    remount: false,
    propagation: 0,
    propagationRecursive: false,
    idmap: "" as MountOptions["idmap"],
    superFlags: [] as string[],
    data: [] as string[],
    copyUp: false,
    idmapText: "",
    copySymlink: false,
    sourceNoFollow: false,
    destinationNoFollow: false,
  };
  for (const option of options) {
    const tail = option.startsWith("r") ? option.slice(1) : "";
    const attribute = ATTRIBUTES[option];
    const recursiveAttribute = ATTRIBUTES[tail];
    if (attribute !== undefined) change(own, attribute);
    else if (recursiveAttribute !== undefined) change(all, recursiveAttribute);
    else if (PROPAGATION[option] !== undefined)
      Object.assign(out, { propagation: PROPAGATION[option], propagationRecursive: false });
    else if (PROPAGATION[tail] !== undefined)
      Object.assign(out, { propagation: PROPAGATION[tail], propagationRecursive: true });
    else if (SUPER_FLAGS[option] !== undefined) {
      if (SUPER_FLAGS[option] !== "") out.superFlags.push(option);
    } else if (SWITCHES[option] !== undefined) out[SWITCHES[option]] = true;
    else if (option === "rbind") Object.assign(out, { bind: true, recursive: true });
    else if (option === "idmap" || option === "ridmap") out.idmap = option;
    else if (/^r?idmap=/.test(option)) {
      const [name, text] = [option.slice(0, option.indexOf("=")), option.slice(option.indexOf("=") + 1)];
      Object.assign(out, { idmap: name, idmapText: text });
    }
    // Several at once, as in mount(8): each becomes a parameter of its own. Quoted commas are SELinux's (context="...:c1,c2").
    else out.data.push(...option.split(/,(?=(?:[^"]*"[^"]*")*[^"]*$)/).filter((part) => part !== ""));
  }
  return { ...out, attributes: own, recursiveAttributes: all };
}

function change(target: { set: number; clear: number }, [set, clear]: readonly [number, number]): void {
  target.set = (target.set & ~clear) | set;
  target.clear = (target.clear & ~set) | clear;
}
