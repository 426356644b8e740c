// linux.netDevices (runtime-spec, "Network devices"): moves devices of the host into the container's network namespace with their
// addresses, names them, and brings them up. The parent moves, because the devices are its; the child does the rest inside.
// When the container is removed the kernel ends virtual devices and gives physical ones back; that is not ours to do.
// portable: no host types here.

import { TeuError, isTeuError } from "@teu/base/errors";
import { AT_FDCWD, O_CLOEXEC, O_RDONLY } from "@teu/sys/constants/fs";
import { CLONE_NEWNET } from "@teu/sys/constants/process";
import {
  IFF_UP,
  IFLA_EXT_MASK,
  IFLA_IFNAME,
  IFLA_NET_NS_FD,
  NLM_F_CREATE,
  NLM_F_EXCL,
  RTEXT_FILTER_SKIP_STATS,
  RTM_GETADDR,
  RTM_GETLINK,
  RTM_NEWADDR,
  RTM_NEWLINK,
} from "@teu/sys/constants/socket";
import type { Kernel } from "@teu/sys/kernel";
import type { Spec } from "@teu/specs/runtime";
import { invalidConfig } from "../failure.ts";
import type { NamespacePlan } from "./namespaces.ts";
import { RouteSocket, attributesOf, linkBody, withAttributes } from "./netlink.ts";

/** A device to move: its name on the host, and inside. */
export interface NetDeviceStep {
  readonly host: string;
  readonly inside: string;
}

/** One address of a device as the kernel tells it: struct ifaddrmsg and its attributes. */
interface Address {
  readonly family: number;
  readonly prefix: number;
  readonly scope: number;
  readonly attributes: ReadonlyMap<number, Uint8Array>;
}

/** What is known of a device before it is moved. */
export interface NetDevice extends NetDeviceStep {
  readonly index: number;
  readonly up: boolean;
  readonly addresses: readonly Address[];
}

const NAME_LIMIT = 16;
const IFADDRMSG = 8;
const IFA_FLAGS = 8;
const IFA_LABEL = 3;
const IFA_CACHEINFO = 6;
const IFA_F_PERMANENT = 0x80;
const RT_SCOPE_UNIVERSE = 0;

/** Checks names, and that there is a network namespace to move to. Throws TeuError `invalid`. */
export function planNetDevices(spec: Spec, namespaces: NamespacePlan): NetDeviceStep[] {
  const inside = new Set<string>();
  return Object.entries(spec.linux?.netDevices ?? {}).map(([host, { name }]) => {
    const at = `linux.netDevices.${host}`;
    if (!namespaces.has.has("network"))
      throw invalidConfig(at, "unable to move network devices without a private NET namespace");
    const step = { host, inside: (name ?? "") === "" ? host : (name ?? "") };
    for (const one of [step.host, step.inside]) {
      // As dev_valid_name() of the kernel; "%" would ask it to choose a number.
      if (one === "." || one === ".." || one === "" || one.length >= NAME_LIMIT || /[/:%\s]/.test(one))
        throw invalidConfig(at, `${JSON.stringify(one)} is not the name of a network device`);
    }
    if (inside.has(step.inside)) throw invalidConfig(at, `two devices would be called ${JSON.stringify(step.inside)}`);
    inside.add(step.inside);
    return step;
  });
}

/** Looks at the devices while they are still here. Throws `not-found` when one is not. */
export function readNetDevices(kernel: Kernel, steps: readonly NetDeviceStep[]): NetDevice[] {
  if (steps.length === 0) return [];
  const route = new RouteSocket(kernel);
  try {
    const addresses = route.list("list addresses", "", RTM_GETADDR, new Uint8Array(IFADDRMSG));
    return steps.map((step) => {
      const { index, up } = findLink(kernel, route, step.host);
      return {
        ...step,
        index,
        up,
        addresses: addresses
          .filter(({ body }) => new DataView(body.buffer, body.byteOffset).getUint32(4, true) === index)
          .flatMap(({ body }) => addressOf(body)),
      };
    });
  } finally {
    route.close();
  }
}

/** Those that somebody has set for the whole world: link-local and leased ones belong to where the device was. */
function addressOf(body: Uint8Array): Address[] {
  const [family = 0, prefix = 0, oldFlags = 0, scope = 0] = body;
  const attributes = new Map(attributesOf(body, IFADDRMSG));
  const flags = attributes.get(IFA_FLAGS)?.[0] ?? oldFlags;
  if (scope !== RT_SCOPE_UNIVERSE || (flags & IFA_F_PERMANENT) === 0) return [];
  // The label has the device's name in it, the flags and times are the kernel's to set.
  for (const type of [IFA_LABEL, IFA_FLAGS, IFA_CACHEINFO]) attributes.delete(type);
  return [{ family, prefix, scope, attributes }];
}

function findLink(kernel: Kernel, route: RouteSocket, name: string): { index: number; up: boolean } {
  const attributes = new Map([
    [IFLA_IFNAME, text(kernel, name)],
    [IFLA_EXT_MASK, number(RTEXT_FILTER_SKIP_STATS)],
  ]);
  try {
    const { body } = route.get("find network device", name, RTM_GETLINK, linkBody(0, 0, 0, attributes));
    const fields = new DataView(body.buffer, body.byteOffset, body.byteLength);
    return { index: fields.getInt32(4, true), up: (fields.getUint32(8, true) & IFF_UP) !== 0 };
  } catch (error) {
    if (!isTeuError(error) || error.detail["errno"] !== ENODEV) throw error;
    throw new TeuError({
      code: "not-found",
      op: "move network device",
      subject: name,
      message: "there is no such device in this network namespace",
    });
  }
}

const ENODEV = 19;

/** The container's network namespace, with devices in it that were the host's. */
export interface MovedDevices {
  /** Gives them back, as they were. */
  undo(): void;
  close(): void;
}

/** Moves the devices to where process `pid` is. What was moved before one failed is given back. */
export function moveNetDevices(kernel: Kernel, pid: number, devices: readonly NetDevice[]): MovedDevices {
  const { fs } = kernel;
  // Held, so that the devices do not go with the namespace when the container's process ends.
  const there = fs.openat(AT_FDCWD, `/proc/${pid}/ns/net`, O_RDONLY | O_CLOEXEC, 0);
  const route = new RouteSocket(kernel);
  const moved: NetDevice[] = [];
  const close = (): void => {
    route.close();
    fs.close(there);
  };
  const undo = (): void => bringBack(kernel, route, there, moved);
  try {
    for (const device of devices) {
      moveLink(kernel, route, device.host, device.index, there, device.inside);
      moved.push(device);
    }
    return { undo, close };
  } catch (error) {
    undo();
    close();
    throw error;
  }
}

function moveLink(kernel: Kernel, route: RouteSocket, name: string, index: number, to: number, as: string): void {
  const attributes = new Map([
    [IFLA_NET_NS_FD, number(to)],
    [IFLA_IFNAME, text(kernel, as)],
  ]);
  route.change("move network device", name, RTM_NEWLINK, 0, linkBody(index, 0, 0, attributes));
}

function bringBack(kernel: Kernel, here: RouteSocket, there: number, moved: readonly NetDevice[]): void {
  if (moved.length === 0) return;
  const { fs, namespace } = kernel;
  const own = fs.openat(AT_FDCWD, "/proc/self/ns/net", O_RDONLY | O_CLOEXEC, 0);
  namespace.setns(there, CLONE_NEWNET);
  const route = new RouteSocket(kernel);
  try {
    for (const { host, inside } of moved)
      moveLink(kernel, route, inside, findLink(kernel, route, inside).index, own, host);
  } finally {
    namespace.setns(own, CLONE_NEWNET);
    route.close();
    fs.close(own);
  }
  for (const { host, up, addresses } of moved) setUp(kernel, here, host, up, addresses);
}

/** In the container's namespace: addresses, and up. */
export function setUpNetDevices(kernel: Kernel, devices: readonly NetDevice[]): void {
  const route = new RouteSocket(kernel);
  try {
    for (const { inside, addresses } of devices) setUp(kernel, route, inside, true, addresses);
  } finally {
    route.close();
  }
}

function setUp(kernel: Kernel, route: RouteSocket, name: string, up: boolean, addresses: readonly Address[]): void {
  const { index } = findLink(kernel, route, name);
  for (const { family, prefix, scope, attributes } of addresses) {
    const fixed = new Uint8Array(IFADDRMSG);
    fixed.set([family, prefix, 0, scope]);
    new DataView(fixed.buffer).setUint32(4, index, true);
    const body = withAttributes(fixed, attributes);
    route.change("add address to network device", name, RTM_NEWADDR, NLM_F_CREATE | NLM_F_EXCL, body);
  }
  if (up) route.change("bring up network device", name, RTM_NEWLINK, 0, linkBody(index, IFF_UP, IFF_UP));
}

/** A C string. */
function text(kernel: Kernel, value: string): Uint8Array {
  return kernel.host.utf8Encode(`${value}\0`);
}

function number(value: number): Uint8Array {
  const bytes = new Uint8Array(4);
  new DataView(bytes.buffer).setUint32(0, value, true);
  return bytes;
}
