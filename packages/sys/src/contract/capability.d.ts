// sys:capability: the five capability sets of the calling thread, capabilities(7). Bits are numbers 0..63.

declare module "sys:capability" {
  /** Capability numbers (0 = CAP_CHOWN ...). */
  export interface CapabilitySets {
    readonly effective: readonly number[];
    readonly permitted: readonly number[];
    readonly inheritable: readonly number[];
  }
  export function capget(pid: number): CapabilitySets;
  export function capset(sets: CapabilitySets): void;
  /** prctl(PR_CAPBSET_DROP). */
  export function boundingDrop(capability: number): void;
  /** prctl(PR_CAPBSET_READ). */
  export function boundingHas(capability: number): boolean;
  /** prctl(PR_CAP_AMBIENT_RAISE). */
  export function ambientRaise(capability: number): void;
  export function ambientClear(): void;
  export function ambientHas(capability: number): boolean;
  /** Drops, in one call into the host, every bounding capability that the kernel knows and that is not in `keep`. */
  export function boundingKeepOnly(keep: readonly number[]): void;
}
