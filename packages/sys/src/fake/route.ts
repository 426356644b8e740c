// rtnetlink of the fake kernel: links and addresses by network namespace, as much as moving and raising devices needs.
// portable: no host types here.

import {
  IFF_UP,
  IFLA_IFNAME,
  IFLA_NET_NS_FD,
  NLMSG_DONE,
  NLMSG_ERROR,
  RTM_GETADDR,
  RTM_GETLINK,
  RTM_NEWADDR,
  RTM_NEWLINK,
} from "../constants/socket.ts";
import { decode } from "./inode.ts";
import type { World } from "./world.ts";

/** A network device. `addresses` are messages (struct ifaddrmsg with attributes). */
export interface FakeLink {
  index: number;
  name: string;
  up: boolean;
  namespace: number;
  readonly addresses: Uint8Array[];
}

const HEADER = 16;
const [EEXIST, ENODEV] = [17, 19];
const view = (data: Uint8Array): DataView => new DataView(data.buffer, data.byteOffset, data.byteLength);

/** What comes back for one request. */
export function answerRoute(world: World, request: Uint8Array): Uint8Array[] {
  const type = view(request).getUint16(4, true);
  const body = request.subarray(HEADER);
  const namespace = world.self.namespaces["net"] ?? 0;
  const here = world.links.filter((link) => link.namespace === namespace);
  if (type === RTM_GETADDR)
    return [
      ...here.flatMap(({ addresses }) => addresses.map((one) => message(RTM_NEWADDR, one))),
      message(NLMSG_DONE, new Uint8Array(4)),
    ];
  const index = view(body).getInt32(4, true);
  const attributes = attributesOf(body, type === RTM_NEWADDR ? 8 : 16);
  const name = decode(attributes.get(IFLA_IFNAME) ?? new Uint8Array(0)).replace(/\0$/, "");
  const link = here.find((one) => (type === RTM_GETLINK ? one.name === name : one.index === index));
  // lo needs no entry.
  if (link === undefined) return [error(index === 1 ? 0 : ENODEV)];
  if (type === RTM_GETLINK) return [message(RTM_NEWLINK, linkBody(link))];
  if (type === RTM_NEWADDR) link.addresses.push(body.slice());
  else return [error(changeLink(world, link, body, attributes, name))];
  return [error(0)];
}

function changeLink(
  world: World,
  link: FakeLink,
  body: Uint8Array,
  attributes: ReadonlyMap<number, Uint8Array>,
  name: string,
): number {
  const to = attributes.get(IFLA_NET_NS_FD);
  if (to !== undefined) {
    const goal = world.located(view(to).getUint32(0, true), "sendmsg").inode.goal;
    const namespace = Number(/\[(\d+)\]/.exec(goal)?.[1] ?? 0);
    if (world.links.some((one) => one.namespace === namespace && one.name === name)) return EEXIST;
    // Addresses do not move, and the device is closed.
    Object.assign(link, { namespace, name, up: false, index: world.links.length + 1 + link.index });
    link.addresses.length = 0;
  }
  if ((view(body).getUint32(12, true) & IFF_UP) !== 0) link.up = (view(body).getUint32(8, true) & IFF_UP) !== 0;
  return 0;
}

function linkBody({ index, up }: FakeLink): Uint8Array {
  const body = new Uint8Array(16);
  view(body).setInt32(4, index, true);
  view(body).setUint32(8, up ? IFF_UP : 0, true);
  return body;
}

function message(type: number, body: Uint8Array): Uint8Array {
  const data = new Uint8Array(HEADER + body.length);
  view(data).setUint32(0, data.length, true);
  view(data).setUint16(4, type, true);
  data.set(body, HEADER);
  return data;
}

/** NLMSG_ERROR; 0 acknowledges. */
function error(errno: number): Uint8Array {
  const body = new Uint8Array(20);
  view(body).setInt32(0, -errno, true);
  return message(NLMSG_ERROR, body);
}

function attributesOf(body: Uint8Array, fixed: number): Map<number, Uint8Array> {
  const out = new Map<number, Uint8Array>();
  for (let at = fixed; at + 4 <= body.length;) {
    const length = view(body).getUint16(at, true);
    out.set(view(body).getUint16(at + 2, true), body.slice(at + 4, at + length));
    at += (length + 3) & ~3;
  }
  return out;
}

/** A link of the acting process's namespace as tests describe it: IPv4 addresses as "10.0.0.1/24". */
export function addLink(world: World, name: string, index: number, addresses: readonly string[], up: boolean): void {
  const namespace = world.self.namespaces["net"] ?? 0;
  world.links.push({ name, index, up, namespace, addresses: addresses.map((text) => addressBody(text, index)) });
}

function addressBody(text: string, index: number): Uint8Array {
  const [numbers = "", prefix = ""] = text.split("/");
  // struct ifaddrmsg: AF_INET, prefix, IFA_F_PERMANENT, RT_SCOPE_UNIVERSE, index; then IFA_ADDRESS, IFA_LOCAL.
  const body = new Uint8Array(24);
  body.set([2, Number(prefix), 0x80, 0]);
  view(body).setUint32(4, index, true);
  for (const [at, type] of [
    [8, 1],
    [16, 2],
  ] as const) {
    view(body).setUint16(at, 8, true);
    view(body).setUint16(at + 2, type, true);
    body.set(numbers.split(".").map(Number), at + 4);
  }
  return body;
}
