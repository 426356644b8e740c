// Every command and flag of runc 1.5 and crun 1.29: whatever calls one of them may call this program.

import assert from "node:assert/strict";
import { test } from "node:test";
import { COMMANDS } from "./commands.ts";
import { GLOBAL_FLAGS } from "./program.ts";

const CREATE = "bundle b console-socket pidfd-socket pid-file no-pivot no-new-keyring preserve-fds config f";

const TABLE: Readonly<Record<string, string>> = {
  create: `${CREATE} no-subreaper`,
  run: `${CREATE} detach d keep no-subreaper`,
  start: "",
  state: "",
  pause: "",
  resume: "",
  features: "",
  exec: `console-socket pidfd-socket cwd env e tty t user u additional-gids g process p detach d pid-file process-label apparmor
    no-new-privs cap c preserve-fds cgroup ignore-paused`,
  kill: "all a regex r",
  delete: "force f regex r",
  list: "format f quiet q",
  ps: "format f",
  events: "interval stats",
  spec: "bundle b rootless file f",
  update: `resources r blkio-weight cpu-period cpu-quota cpu-burst cpu-share cpu-rt-period cpu-rt-runtime cpu-idle cpuset-cpus
    cpuset-mems memory memory-reservation memory-swap pids-limit l3-cache-schema mem-bw-schema kernel-memory kernel-memory-tcp`,
  checkpoint: `image-path work-path parent-path leave-running tcp-established tcp-skip-in-flight link-remap ext-unix-sk shell-job
    lazy-pages status-fd page-server file-locks pre-dump manage-cgroups-mode empty-ns auto-dedup`,
  restore: `console-socket image-path work-path tcp-established ext-unix-sk shell-job file-locks manage-cgroups-mode bundle b detach d
    pid-file no-subreaper no-pivot empty-ns auto-dedup lazy-pages lsm-profile lsm-mount-context`,
  mounts: "",
};

const words = (text: string): string[] => text.split(/\s+/).filter((word) => word !== "");
const names = (flags: (typeof COMMANDS)[number]["flags"]): string[] =>
  flags.flatMap(({ name, aliases }) => [name, ...(aliases ?? [])]);

test("commands: every one of runc's and crun's", () => {
  assert.deepEqual(COMMANDS.map(({ name }) => name).sort(), Object.keys(TABLE).sort());
});

for (const [command, flags] of Object.entries(TABLE)) {
  test(`flags: all of ${command}`, () => {
    const there = names(COMMANDS.find(({ name }) => name === command)?.flags ?? []);
    assert.deepEqual(
      words(flags).filter((flag) => !there.includes(flag)),
      [],
    );
  });
}

test("flags: all global ones", () => {
  const wanted = words(
    `debug log log-format log-level root systemd-cgroup cgroup-manager rootless help h ? version v V usage`,
  );
  assert.deepEqual(
    wanted.filter((flag) => !names(GLOBAL_FLAGS).includes(flag)),
    [],
  );
});
