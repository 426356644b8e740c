// sys:namespace: moving this single-threaded process between namespaces, namespaces(7).

declare module "sys:namespace" {
  /** unshare(2). */
  export function unshare(flags: number): void;
  /** setns(2). `fd` may be a namespace fd or a pidfd; `flags` CLONE_NEW* (0: any). */
  export function setns(fd: number, flags: number): void;
}
