// What a failed system call throws: errno by name, the call, and what it was about.
// portable: no host types here.

/** Thrown by every `sys:*` function. The host constructs it; the fake kernel uses `sysError`. */
export interface SysError extends Error {
  readonly name: "SysError";
  /** "ENOENT", "EPERM" ... */
  readonly errno: string;
  /** The system call: "openat2"; for a function that is several calls, its own name: "removeTree". */
  readonly call: string;
  /** Path, pid or name that the call was about; may be empty. */
  readonly subject: string;
}

/** Is this a failed system call (and with this errno, when given)? */
export function isSysError(error: unknown, errno?: string): error is SysError {
  if (!(error instanceof Error) || error.name !== "SysError") return false;
  return errno === undefined || (error as SysError).errno === errno;
}

/** Makes one, with the text the host uses: `openat2 "/x": ENOENT`. */
export function sysError(errno: string, call: string, subject: string): SysError {
  const error = new Error(subject === "" ? `${call}: ${errno}` : `${call} ${JSON.stringify(subject)}: ${errno}`);
  return Object.assign(error, { name: "SysError" as const, errno, call, subject });
}
