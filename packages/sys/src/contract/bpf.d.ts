// sys:bpf: cgroup v2 device programs, bpf(2). The instructions are built in TypeScript.

declare module "sys:bpf" {
  /** BPF_PROG_LOAD of a BPF_PROG_TYPE_CGROUP_DEVICE program, licence "Apache". On failure the subject is the verifier's log. Caller owns the fd. */
  export function loadCgroupDevice(instructions: Uint8Array): number;
  /** BPF_PROG_ATTACH with BPF_F_ALLOW_MULTI; `replaceFd` -1 or the program to replace. */
  export function attachCgroupDevice(cgroupFd: number, programFd: number, replaceFd: number): void;
  /** BPF_PROG_QUERY: ids attached to this cgroup. */
  export function queryCgroupDevice(cgroupFd: number): number[];
  /** BPF_PROG_GET_FD_BY_ID. */
  export function programById(id: number): number;
}
