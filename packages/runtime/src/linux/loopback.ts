// Brings up "lo" in a new network namespace: one rtnetlink message, rtnetlink(7).
// portable: no host types here.

import { TeuError } from "@teu/base/errors";
import {
  AF_NETLINK,
  IFF_UP,
  NETLINK_ROUTE,
  NLM_F_ACK,
  NLM_F_REQUEST,
  NLMSG_ERROR,
  RTM_NEWLINK,
  SOCK_RAW,
} from "@teu/sys/constants/socket";
import type { Kernel } from "@teu/sys/kernel";

/** Sets interface 1 up: in a new namespace that is always lo. */
export function raiseLoopback(kernel: Kernel): void {
  const { fs, socket } = kernel;
  const fd = socket.socket(AF_NETLINK, SOCK_RAW, NETLINK_ROUTE);
  try {
    const message = new Uint8Array(32);
    const view = new DataView(message.buffer);
    view.setUint32(0, message.length, true);
    view.setUint16(4, RTM_NEWLINK, true);
    view.setUint16(6, NLM_F_REQUEST | NLM_F_ACK, true);
    view.setUint32(8, 1, true);
    // struct ifinfomsg: index, flags, mask of flags to change.
    view.setInt32(20, 1, true);
    view.setUint32(24, IFF_UP, true);
    view.setUint32(28, IFF_UP, true);
    socket.send(fd, message, 0);
    const { data } = socket.receiveMessage(fd, 4096);
    const answer = new DataView(data.buffer, data.byteOffset, data.byteLength);
    const errno = data.length >= 20 && answer.getUint16(4, true) === NLMSG_ERROR ? answer.getInt32(16, true) : -1;
    if (errno !== 0)
      throw new TeuError({
        code: "internal",
        op: "bring up interface",
        subject: "lo",
        message: `rtnetlink answers ${errno}`,
      });
  } finally {
    fs.close(fd);
  }
}
