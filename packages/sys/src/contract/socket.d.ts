// sys:socket: unix sockets with fd passing, netlink, and enough of INET for port reservation. fds are close-on-exec.

declare module "sys:socket" {
  export interface Message {
    readonly data: Uint8Array;
    /** Received by SCM_RIGHTS, close-on-exec, the caller's to close. */
    readonly fds: readonly number[];
    /** MSG_TRUNC or MSG_CTRUNC happened. */
    readonly truncated: boolean;
  }
  /** `kind` SOCK_* (SOCK_NONBLOCK may be or-ed in); always close-on-exec. */
  export function socket(family: number, kind: number, protocol: number): number;
  export function socketpair(kind: number): [number, number];
  /** Unix path up to 107 bytes (longer: go through /proc/self/fd of the directory), or "@abstract". */
  export function bindUnix(fd: number, path: string): void;
  export function connectUnix(fd: number, path: string): void;
  export function bindNetlink(fd: number, groups: number): void;
  export function bindInet(fd: number, address: string, port: number): void;
  export function listen(fd: number, backlog: number): void;
  /** accept4(2) nonblocking + close-on-exec; -1 when nobody waits. */
  export function accept(fd: number): number;
  export function send(fd: number, data: Uint8Array, flags: number): number;
  export function sendMessage(fd: number, data: Uint8Array, fds: readonly number[]): number;
  /** recvmsg(2) of at most `count` bytes and 16 fds. Empty data at end of stream. Throws EAGAIN. */
  export function receiveMessage(fd: number, count: number): Message;
  export function shutdown(fd: number, how: number): void;
  /** SO_PEERCRED. */
  export function peerCredentials(fd: number): { pid: number; uid: number; gid: number };
  export function setOption(fd: number, level: number, option: number, value: number): void;
}
