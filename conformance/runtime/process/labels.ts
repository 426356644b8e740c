// Labels of Linux security modules, where the kernel has none: asked for, they are an error and not ignored (runtime-spec, "POSIX process").

import { existsSync, readFileSync } from "node:fs";
import { type RuntimeCase, Skip, expectFailure, withLinux, withProcess } from "../case.ts";

const APPARMOR = "/sys/module/apparmor/parameters/enabled";
const without = (what: string, has: boolean): void => {
  if (has) throw new Skip(`this kernel has ${what}`);
};
const hasAppArmor = (): boolean => existsSync(APPARMOR) && readFileSync(APPARMOR, "utf8").startsWith("Y");
const hasSelinux = (): boolean => existsSync("/sys/fs/selinux/enforce");

export const cases: readonly RuntimeCase[] = [
  {
    name: "apparmorProfile: error where the kernel has no AppArmor",
    run: (bench) => {
      without("AppArmor", hasAppArmor());
      expectFailure(bench.run(bench.script("true", (spec) => withProcess(spec, { apparmorProfile: "box" }))));
    },
  },
  {
    name: "selinuxLabel: error where the kernel has no SELinux",
    run: (bench) => {
      without("SELinux", hasSelinux());
      const selinuxLabel = "system_u:system_r:container_t:s0";
      expectFailure(bench.run(bench.script("true", (spec) => withProcess(spec, { selinuxLabel }))));
    },
  },
  {
    name: "mountLabel: error where the kernel has no SELinux",
    run: (bench) => {
      without("SELinux", hasSelinux());
      const mountLabel = "system_u:object_r:container_file_t:s0";
      expectFailure(bench.run(bench.script("true", (spec) => withLinux(spec, { mountLabel }))));
    },
  },
];
