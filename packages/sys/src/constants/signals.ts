// Signal names and numbers, signal(7), and rlimit names, getrlimit(2), for x86_64 and arm64.
// portable: no host types here.

/** `SIGNAL_NAMES[n]` is the name of signal n without "SIG"; index 0 is empty. */
export const SIGNAL_NAMES: readonly string[] = [
  "",
  "HUP",
  "INT",
  "QUIT",
  "ILL",
  "TRAP",
  "ABRT",
  "BUS",
  "FPE",
  "KILL",
  "USR1",
  "SEGV",
  "USR2",
  "PIPE",
  "ALRM",
  "TERM",
  "STKFLT",
  "CHLD",
  "CONT",
  "STOP",
  "TSTP",
  "TTIN",
  "TTOU",
  "URG",
  "XCPU",
  "XFSZ",
  "VTALRM",
  "PROF",
  "WINCH",
  "IO",
  "PWR",
  "SYS",
];

/** `RLIMIT_NAMES[n]` is the name of resource n. */
export const RLIMIT_NAMES: readonly string[] = [
  "RLIMIT_CPU",
  "RLIMIT_FSIZE",
  "RLIMIT_DATA",
  "RLIMIT_STACK",
  "RLIMIT_CORE",
  "RLIMIT_RSS",
  "RLIMIT_NPROC",
  "RLIMIT_NOFILE",
  "RLIMIT_MEMLOCK",
  "RLIMIT_AS",
  "RLIMIT_LOCKS",
  "RLIMIT_SIGPENDING",
  "RLIMIT_MSGQUEUE",
  "RLIMIT_NICE",
  "RLIMIT_RTPRIO",
  "RLIMIT_RTTIME",
];

/**
 * The number of a signal given as number or name ("9", "KILL", "SIGKILL", "sigkill", "RTMIN+3").
 * Returns null when there is no such signal.
 */
export function signalNumber(text: string): number | null {
  if (/^\d{1,3}$/.test(text)) return Number(text) <= 64 ? Number(text) : null;
  const name = text.toUpperCase().replace(/^SIG/, "");
  const realTime = /^RT(MIN|MAX)(?:([+-])(\d{1,2}))?$/.exec(name);
  if (realTime !== null) {
    const offset = Number(realTime[3] ?? 0) * (realTime[2] === "-" ? -1 : 1);
    const value = (realTime[1] === "MIN" ? 34 : 64) + offset;
    return value >= 34 && value <= 64 ? value : null;
  }
  const aliases: Readonly<Record<string, number>> = { POLL: 29, CLD: 17, IOT: 6 };
  const index = name === "" ? -1 : SIGNAL_NAMES.indexOf(name);
  return index > 0 ? index : (aliases[name] ?? null);
}
