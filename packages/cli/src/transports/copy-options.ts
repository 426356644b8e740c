// Flags that say how registries are reached and which platforms are meant: skopeo's and regctl's, shared by the commands on images that
// are elsewhere.

import { hostPlatform, parsePlatform } from "@teu/image/platform";
import type { Platform } from "@teu/specs/image";
import type { CommandInput, OptionSpec } from "../command.ts";
import { usageError } from "../grammar/usage-error.ts";
import type { PlaceAccess } from "./open-place.ts";

/** Flags of commands on one place. */
export const ACCESS_OPTIONS: readonly OptionSpec[] = [
  { long: "cert-dir", value: "dir", help: "Certificates for the registry: *.crt to trust, *.cert with *.key to show" },
  { long: "creds", value: "user:password", help: "Credentials for the registry, instead of those of login" },
  { long: "insecure", help: "Plain HTTP, or TLS without verification" },
  { long: "tls-verify", on: true, help: "TLS with verification; false is --insecure" },
];

/** Of them those that a login has: it has credentials of its own. */
export const LOGIN_ACCESS_OPTIONS: readonly OptionSpec[] = ACCESS_OPTIONS.filter(({ long }) => long !== "creds");

/** How the one place is reached. */
export function accessOf(input: CommandInput): PlaceAccess {
  return access(input, input.flag("insecure") || !input.flag("tls-verify"), "");
}

/** How one side of a copy is reached: "src" or "dest". */
export function sideAccess(input: CommandInput, side: "src" | "dest"): PlaceAccess {
  return access(input, input.flag("insecure") || !input.flag(`${side}-tls-verify`), `${side}-`);
}

/** What --all and --platform ask for; default: this machine's platform. */
export function wantedPlatform(input: CommandInput): Platform | "all" {
  const platform = input.text("platform");
  if (!input.flag("all")) return platform === undefined ? hostPlatform() : parsePlatform(platform);
  if (platform === undefined) return "all";
  throw usageError("--all and --platform exclude each other", { fallback: "leave one of them out" });
}

function access(input: CommandInput, insecure: boolean, prefix: "" | "src-" | "dest-"): PlaceAccess {
  const certDirectory = input.text(`${prefix}cert-dir`);
  const daemonHost = prefix === "" ? undefined : input.text(`${prefix}daemon-host`);
  const base = {
    insecure,
    ...(certDirectory === undefined ? {} : { certDirectory }),
    ...(daemonHost === undefined ? {} : { daemonHost }),
  };
  const flag = `${prefix}creds`;
  const creds = input.text(flag);
  if (creds === undefined) return base;
  const colon = creds.indexOf(":");
  // The value is not repeated: it holds a password.
  if (colon <= 0)
    throw usageError(`--${flag} is not USER:PASSWORD`, { fallback: "write the user, a colon, the password" });
  return { ...base, credentials: { username: creds.slice(0, colon), password: creds.slice(colon + 1) } };
}
