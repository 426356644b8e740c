// How a user without root keeps what only root can give: owners and device nodes, as extended attributes of files that are the
// user's own. Owners as umoci and PRoot keep them (user.rootlesscontainers), devices as containers/storage and fuse-overlayfs do
// (user.containers.override_stat). Symlinks and fifos take no such attributes: of these the owner is lost.

import { S_IFBLK, S_IFCHR } from "@teu/files/constants";

/** Holds an owner: the message of https://rootlesscontaine.rs, two numbers of protobuf. */
export const OWNER_XATTR = "user.rootlesscontainers";
/** Holds what an empty file stands for. */
export const DEVICE_XATTR = "user.containers.override_stat";

/** In the message: not recorded, as for root, who is the user itself. */
const NOBODY = 0xffff_ffff;

/** An owner as the tar has it. */
export interface Owner {
  readonly uid: number;
  readonly gid: number;
}

/** A device that an empty file stands for. */
export interface Device extends Owner {
  /** With its type. */
  readonly mode: number;
  readonly major: number;
  readonly minor: number;
}

/** The attribute's value; null for root, which needs none. */
export function encodeOwner({ uid, gid }: Owner): Uint8Array | null {
  if (uid === 0 && gid === 0) return null;
  return Uint8Array.from([0x08, ...varint(uid === 0 ? NOBODY : uid), 0x10, ...varint(gid === 0 ? NOBODY : gid)]);
}

/** The owner that a value tells; null when it is no such message: whoever wrote it meant something else. */
export function decodeOwner(value: Uint8Array): Owner | null {
  const found = new Map<number, number>();
  for (let at = 0; at < value.length;) {
    const field = value[at++];
    let number = 0;
    for (let shift = 0; ; shift += 7) {
      const byte = value[at++];
      if (byte === undefined || shift > 28) return null;
      number += (byte & 0x7f) * 2 ** shift;
      if (byte < 0x80) break;
    }
    if ((field !== 0x08 && field !== 0x10) || number > NOBODY) return null;
    found.set(field, number === NOBODY ? 0 : number);
  }
  return { uid: found.get(0x08) ?? 0, gid: found.get(0x10) ?? 0 };
}

/** The attribute's value: "0:5:0620:char-1-3". */
export function encodeDevice({ uid, gid, mode, major, minor }: Device): Uint8Array {
  const type = (mode & 0o170000) === S_IFCHR ? "char" : "block";
  return Buffer.from(`${uid}:${gid}:${(mode & 0o7777).toString(8).padStart(4, "0")}:${type}-${major}-${minor}`);
}

/** The device that a value tells; null when it tells of none. */
export function decodeDevice(value: Uint8Array): Device | null {
  const match = /^(\d{1,10}):(\d{1,10}):([0-7]{4}):(char|block)-(\d{1,10})-(\d{1,10})$/.exec(
    Buffer.from(value).toString("latin1"),
  );
  if (match === null) return null;
  const [, uid, gid, mode, type, major, minor] = match;
  return {
    uid: Number(uid),
    gid: Number(gid),
    mode: Number.parseInt(mode ?? "", 8) | (type === "char" ? S_IFCHR : S_IFBLK),
    major: Number(major),
    minor: Number(minor),
  };
}

function varint(number: number): number[] {
  const bytes: number[] = [];
  for (let left = number; ; left = Math.floor(left / 128)) {
    if (left < 128) return [...bytes, left];
    bytes.push((left % 128) | 0x80);
  }
}
