// How a transcript shows the arguments of each call, and what to call the fd that it returns ("$0/$1": argument 0, "/", argument 1).
// portable: no host types here.

/** "fd": by name. "open" ... : flag words. "skip": not shown. "value": as it is. */
export type ArgumentKind =
  | "fd"
  | "open"
  | "resolve"
  | "at"
  | "tree"
  | "attribute"
  | "umount"
  | "clone"
  | "octal"
  | "move"
  | "propagation"
  | "skip"
  | "value";

/** By function name: kinds of the arguments in order, and the name of the result. */
export const SIGNATURES: Readonly<Record<string, readonly [readonly ArgumentKind[], string]>> = {
  processStat: [["value"], ""],
  openat2: [["fd", "value", "open", "octal", "resolve"], "$0/$1"],
  openIfThere: [["fd", "value", "open", "octal", "resolve"], "$0/$1"],
  openat: [["fd", "value", "open", "octal"], "$0/$1"],
  close: [["fd"], ""],
  closeRange: [["value", "value", "value"], ""],
  read: [["fd", "skip"], ""],
  pread: [["fd", "value", "value"], ""],
  write: [["fd", "value"], ""],
  fstat: [["fd"], ""],
  ownerAt: [["fd", "value"], ""],
  fstatfs: [["fd"], ""],
  filesystemType: [["value"], ""],
  fchmod: [["fd", "octal"], ""],
  fchown: [["fd", "value", "value"], ""],
  flock: [["fd", "value"], ""],
  lseek: [["fd", "value", "value"], ""],
  readDir: [["fd"], ""],
  memfdCreate: [["value", "skip"], "memfd $0"],
  pipe2: [["open"], "pair"],
  dup: [["fd", "skip"], "$0"],
  dup3: [["fd", "value", "value"], ""],
  setCloexec: [["fd", "value"], ""],
  setNonblock: [["fd", "value"], ""],
  readTextAt: [["fd", "value", "skip"], ""],
  writeTextAt: [["fd", "value", "value"], ""],
  statAt: [["fd", "value", "at"], ""],
  accessAt: [["fd", "value", "skip"], ""],
  readlinkAt: [["fd", "value"], ""],
  chmodAt: [["fd", "value", "octal", "at"], ""],
  chownAt: [["fd", "value", "value", "value", "at"], ""],
  mkdirAt: [["fd", "value", "octal"], ""],
  mknodAt: [["fd", "value", "octal", "value", "value"], ""],
  mkfifoAt: [["fd", "value", "octal"], ""],
  symlinkAt: [["value", "fd", "value"], ""],
  unlinkAt: [["fd", "value", "at"], ""],
  removeTree: [["fd", "value"], ""],
  replaceFileAt: [["fd", "value", "skip", "octal", "skip"], ""],
  openTree: [["fd", "value", "tree"], "copy of $0/$1"],
  moveMount: [["fd", "value", "fd", "value", "skip"], ""],
  mountSetattr: [["fd", "value", "at", "value"], ""],
  fsopen: [["value", "skip"], "new $0"],
  fsconfigString: [["fd", "value", "value"], ""],
  fsconfigFlag: [["fd", "value"], ""],
  fsconfigCreate: [["fd"], ""],
  fsmount: [["fd", "skip", "attribute"], "$0"],
  umount2: [["value", "umount"], ""],
  unshare: [["clone"], ""],
  setns: [["fd", "clone"], ""],
  socket: [["value", "value", "value"], "socket"],
  socketpair: [["value"], "pair"],
  connectUnix: [["fd", "value"], ""],
  send: [["fd", "value"], ""],
  sendMessage: [["fd", "value", "value"], ""],
  receiveMessage: [["fd", "skip"], ""],
  pidfdOpen: [["skip", "skip"], "pidfd"],
  pidfdGetfd: [["fd", "value"], "fd $1 of $0"],
  pidfdSendSignal: [["fd", "value"], ""],
  waitpid: [["skip", "value"], ""],
  fchdir: [["fd"], ""],
  pollOne: [["fd", "skip", "value"], ""],
  create: [[], "epoll"],
  add: [["fd", "fd", "skip", "skip"], ""],
  wait: [["fd", "value"], ""],
  signalfd: [["skip"], "signals"],
  eventfd: [[], "eventfd"],
  timerfd: [["value", "value"], "timer"],
  readSignal: [["fd"], ""],
  unlock: [["fd"], ""],
  peer: [["fd", "open"], "other side of $0"],
  setSize: [["fd", "value", "value"], ""],
  setControlling: [["fd"], ""],
};
