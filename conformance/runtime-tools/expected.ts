// Which of runtime-tools' programs teu-runtime passes on a host with cgroup v1, and why not the others.

/** What is recorded of one program. */
interface Expectation {
  /** "network": when net_cls and net_prio are mounted. "racy": either way, by the program's own races. */
  readonly passes: boolean | "network" | "racy";
  readonly why?: string;
}

/** By the program's name. */
export const EXPECTED: Readonly<Record<string, Expectation>> = {
};
