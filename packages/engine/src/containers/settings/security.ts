// --security-opt and kernel parameters: what they say, and what must be refused because it would reach the host.

import { readFileSync } from "node:fs";

import { TeuError } from "@teu/base/errors";

import type { SeccompSetting } from "../container-settings.ts";
import { parseProfile } from "../spec/seccomp-profile.ts";

/** What the security options of one container come to. */
export interface SecuritySettings {
  readonly seccomp: SeccompSetting;
  readonly noNewPrivileges: boolean;
  readonly systemPathsUnconfined: boolean;
}

/** A profile larger than this is not one. */
const PROFILE_LIMIT = 4 << 20;

/** Reads "key=value" and the older "key:value". @throws TeuError `invalid`, `not-found` for a profile's file, `unsupported`. */
export function securitySettings(options: readonly string[]): SecuritySettings {
  let settings: SecuritySettings = {
    seccomp: { kind: "default" },
    noNewPrivileges: false,
    systemPathsUnconfined: false,
  };
  for (const option of options) {
    const [, key = "", value = ""] = /^([^=:]+)[=:]?([\s\S]*)$/.exec(option) ?? [];
    switch (key) {
      case "seccomp":
        settings = { ...settings, seccomp: seccompSetting(value) };
        break;
      case "no-new-privileges":
        settings = { ...settings, noNewPrivileges: flag(option, value) };
        break;
      case "systempaths":
        if (value !== "unconfined") throw refuse(option, 'want "systempaths=unconfined"');
        settings = { ...settings, systemPathsUnconfined: true };
        break;
      case "apparmor":
      case "label":
        // Nothing is confined by a module that is not there, so that asking for none of it is fulfilled.
        if (value !== "unconfined" && value !== "disable") {
          throw new TeuError({
            code: "unsupported",
            op: "read security option",
            subject: option,
            message: `no ${key === "label" ? "SELinux" : "AppArmor"} support yet`,
          });
        }
        break;
      default:
        throw refuse(option, "there is no such option");
    }
  }
  return settings;
}

function seccompSetting(value: string): SeccompSetting {
  if (value === "unconfined") return { kind: "unconfined" };
  if (value === "default" || value === "builtin") return { kind: "default" };
  // Docker's API sends the profile itself where its command line takes a file.
  const text = value.trimStart().startsWith("{") ? value : profileText(value);
  parseProfile(text);
  return { kind: "profile", text };
}

function profileText(path: string): string {
  let text: string;
  try {
    text = readFileSync(path, "utf8");
  } catch (cause) {
    throw new TeuError({
      code: "not-found",
      op: "read seccomp profile",
      subject: path,
      message: "cannot read the file",
      cause,
    });
  }
  if (text.length > PROFILE_LIMIT) throw refuse(path, `the profile is larger than ${PROFILE_LIMIT} bytes`);
  return text;
}

function flag(option: string, value: string): boolean {
  if (value === "" || value === "true") return true;
  if (value === "false") return false;
  throw refuse(option, "want true or false");
}

/** Parameters that belong to a namespace of the container; everything else would change the host. */
const IPC_SYSCTLS: readonly string[] = [
  "kernel.msgmax",
  "kernel.msgmnb",
  "kernel.msgmni",
  "kernel.sem",
  "kernel.shmall",
  "kernel.shmmax",
  "kernel.shmmni",
  "kernel.shm_rmid_forced",
];

/** Checks kernel parameters against the namespaces the container has of its own. @throws TeuError `invalid`. */
export function checkSysctls(
  sysctls: Readonly<Record<string, string>>,
  own: { readonly network: boolean; readonly ipc: boolean; readonly uts: boolean },
): void {
  for (const name of Object.keys(sysctls)) {
    const dotted = name.replaceAll("/", ".");
    const ipc = IPC_SYSCTLS.includes(dotted) || dotted.startsWith("fs.mqueue.");
    const net = dotted.startsWith("net.");
    const domain = dotted === "kernel.domainname";
    if (/\.\.|[^a-zA-Z0-9_.\-/]/.test(name) || !(ipc || net || domain))
      throw refuse(name, "this kernel parameter is not of a namespace, and would change the host", "set sysctl");
    if ((ipc && !own.ipc) || (net && !own.network) || (domain && !own.uts))
      throw refuse(name, "the container shares this namespace with the host", "set sysctl");
  }
}

function refuse(subject: string, message: string, op = "read security option"): TeuError {
  return new TeuError({ code: "invalid", op, subject, message });
}
