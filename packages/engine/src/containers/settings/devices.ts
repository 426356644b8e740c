// --device: the options checked, and the nodes looked up on the host when the container starts.

import { lstatSync, readdirSync, statSync } from "node:fs";
import { join, posix } from "node:path";

import { TeuError } from "@teu/base/errors";

import type { DeviceOption } from "../create-options.ts";
import type { HostDevice } from "../spec/devices.ts";

/** Checks and completes device options. @throws TeuError `invalid`. */
export function deviceSettings(wishes: readonly DeviceOption[]): Required<DeviceOption>[] {
  return wishes.map(({ source, target = source, permissions = "rwm" }) => {
    if (!/^[rwm]{1,3}$/.test(permissions)) throw refuse(permissions, "permissions are letters of rwm");
    if (!source.startsWith("/dev/") || !posix.normalize(source).startsWith("/dev/"))
      throw refuse(source, "a device is a path below /dev");
    if (!posix.normalize(target).startsWith("/dev/")) throw refuse(target, "a device appears below /dev");
    return { source: posix.normalize(source), target: posix.normalize(target), permissions };
  });
}

/** The nodes of a container: those asked for (directories: all in them), or the host's for a privileged one. */
export function hostDevices(devices: readonly Required<DeviceOption>[], privileged: boolean): HostDevice[] {
  const all = privileged ? walk("/dev", "/dev", "rwm") : [];
  const asked = devices.flatMap(({ source, target, permissions }) => {
    const stats = statSync(source, { throwIfNoEntry: false });
    if (stats === undefined)
      throw new TeuError({
        code: "not-found",
        op: "add device",
        subject: source,
        message: "there is no such device on this host",
      });
    if (stats.isDirectory()) return walk(source, target, permissions);
    const device = deviceAt(source, target, permissions);
    if (device === null) throw refuse(source, "it is not a device node");
    return [device];
  });
  return [...all, ...asked];
}

// What every container has of its own is not the host's to give.
const OWN =
  /^\/dev\/(?:pts|shm|mqueue|fd|console|ptmx|null|zero|full|tty|random|urandom|\.udev|stdin|stdout|stderr)(?:\/|$)/;

function walk(source: string, target: string, access: string): HostDevice[] {
  return readdirSync(source).flatMap((name) => {
    const path = join(source, name);
    if (OWN.test(path)) return [];
    const stats = lstatSync(path, { throwIfNoEntry: false });
    if (stats?.isDirectory()) return walk(path, join(target, name), access);
    const device = deviceAt(path, join(target, name), access);
    return device === null ? [] : [device];
  });
}

function deviceAt(source: string, target: string, access: string): HostDevice | null {
  const stats = lstatSync(source, { throwIfNoEntry: false });
  const node = stats?.isSymbolicLink() ? statSync(source, { throwIfNoEntry: false }) : stats;
  if (node === undefined || !(node.isCharacterDevice() || node.isBlockDevice())) return null;
  const { rdev } = node;
  // makedev(3) of glibc: 12 + 20 bits each, interleaved; beyond 32 bits only for numbers Linux never gives.
  const major = (rdev >>> 8) & 0xfff;
  const minor = (rdev & 0xff) | ((rdev >>> 12) & 0xfff00);
  return {
    path: target,
    type: node.isBlockDevice() ? "b" : "c",
    major,
    minor,
    fileMode: node.mode & 0o777,
    uid: node.uid,
    gid: node.gid,
    access,
  };
}

function refuse(subject: string, message: string): TeuError {
  return new TeuError({ code: "invalid", op: "add device", subject, message });
}
