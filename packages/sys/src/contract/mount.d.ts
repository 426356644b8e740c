// sys:mount: old and new mount API, mount(2), mount_setattr(2), fsopen(2), open_tree(2). Every fd returned is close-on-exec and the caller's.

declare module "sys:mount" {
  /** mount(2); empty strings become NULL. */
  export function mount(source: string, target: string, fstype: string, flags: number, data: string): void;
  export function umount2(target: string, flags: number): void;
  export function pivotRoot(newRoot: string, putOld: string): void;
  /** open_tree(2). */
  export function openTree(dirfd: number, path: string, flags: number): number;
  /** move_mount(2). */
  export function moveMount(fromFd: number, fromPath: string, toFd: number, toPath: string, flags: number): void;
  /** mount_setattr(2). `flags`: AT_EMPTY_PATH, AT_RECURSIVE ... `usernsFd` only with MOUNT_ATTR_IDMAP, else -1. */
  export function mountSetattr(
    dirfd: number,
    path: string,
    flags: number,
    attr: { set: number; clear: number; propagation: number; usernsFd: number },
  ): void;
  export function fsopen(fstype: string, flags: number): number;
  /** fsconfig(2) FSCONFIG_SET_STRING. */
  export function fsconfigString(fd: number, key: string, value: string): void;
  /** FSCONFIG_SET_FLAG. */
  export function fsconfigFlag(fd: number, key: string): void;
  /** FSCONFIG_SET_FD. */
  export function fsconfigFd(fd: number, key: string, value: number): void;
  /** FSCONFIG_CMD_CREATE; on failure the error's subject carries the kernel's messages from the context fd. */
  export function fsconfigCreate(fd: number): void;
  /** FSCONFIG_CMD_RECONFIGURE. */
  export function fsconfigReconfigure(fd: number): void;
  /** fsmount(2); `attrs` MOUNT_ATTR_*. */
  export function fsmount(fd: number, flags: number, attrs: number): number;
  /** fspick(2). */
  export function fspick(dirfd: number, path: string, flags: number): number;
}
