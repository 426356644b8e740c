// Every environment variable that `teu` reads: name, default, meaning. docs/reference/environment.md follows this list.

/** One variable. */
export interface EnvironmentVariable {
  readonly name: string;
  /** As shown in documentation; "" when there is none. */
  readonly fallback: string;
  readonly doc: string;
}

/** The list. */
export const ENVIRONMENT: readonly EnvironmentVariable[] = [
  {
    name: "TEU_ROOT",
    fallback: "/var/lib/teu",
    doc: "Durable state: images, layers, containers. The flag --root wins.",
  },
  { name: "TEU_RUNROOT", fallback: "/run/teu", doc: "State that a reboot may take. The flag --runroot wins." },
  {
    name: "TEU_RUNTIME",
    fallback: "teu-runtime",
    doc: "Runtime of new containers: teu-runtime, runc, crun, or an absolute path. The flag --runtime wins.",
  },
  { name: "TEU_SHIM", fallback: "beside the program, then PATH", doc: "Path of teu-shim." },
  {
    name: "TEU_DEBUG",
    fallback: "",
    doc: "Anything but empty, 0 or false: show causes of errors and debug messages, as --debug does.",
  },
  {
    name: "SOURCE_DATE_EPOCH",
    fallback: "",
    doc: "Seconds since 1970: no time in images that `teu image` changes or `teu import` makes is later. The flag --timestamp wins.",
  },
  { name: "DOCKER_CONFIG", fallback: "$HOME/.docker", doc: "Directory of config.json, where login keeps credentials." },
  {
    name: "DOCKER_HOST",
    fallback: "unix:///var/run/docker.sock",
    doc: "Docker daemon of docker-daemon: places; the flags --src-daemon-host and --dest-daemon-host win.",
  },
  {
    name: "DOCKER_TLS_VERIFY",
    fallback: "",
    doc: "Not empty: TLS to a Docker daemon at tcp://, its certificate checked.",
  },
  { name: "DOCKER_TLS", fallback: "", doc: "Not empty: TLS to a Docker daemon at tcp://, without a check." },
  {
    name: "DOCKER_CERT_PATH",
    fallback: "$DOCKER_CONFIG",
    doc: "Directory with ca.pem, cert.pem and key.pem for a Docker daemon over TLS.",
  },
  {
    name: "HOME",
    fallback: "",
    doc: "Used when DOCKER_CONFIG is not set; and for .config/containers/policy.json and registries.d, and .local/share/containers/sigstore.",
  },
  {
    name: "COSIGN_PASSWORD",
    fallback: "asked for",
    doc: "Password of private keys (sign, key), empty too. cosign reads the same.",
  },
  {
    name: "TMPDIR",
    fallback: "/var/tmp",
    doc: "Where archives are taken apart and layers are made: room for a whole image.",
  },
  {
    name: "TEU_REGISTRY_",
    fallback: "",
    doc: "Beginning of names that go before keys of `registry serve --config` (registry-config.md).",
  },
  { name: "NO_COLOR", fallback: "", doc: "Not empty: no colours." },
  { name: "COLUMNS", fallback: "width of the terminal", doc: "Width of progress output." },
  { name: "TERM", fallback: "", doc: "Given to containers with a terminal (run -t); dumb: plain progress output." },
];

/** What the variables say. */
export interface Environment {
  readonly root: string;
  readonly runroot: string;
  readonly runtime: string | undefined;
  readonly shim: string | undefined;
  readonly debug: boolean;
  readonly sourceDateEpoch: string | undefined;
  readonly term: string;
  readonly columns: number | undefined;
  readonly temporary: string;
  readonly home: string | undefined;
  /** Empty counts. */
  readonly keyPassword: string | undefined;
  /** Variables that begin with TEU_REGISTRY_. */
  readonly registry: Readonly<Record<string, string>>;
}

/** Reads them once. */
export function readEnvironment(env: Readonly<Record<string, string | undefined>>): Environment {
  const text = (name: string): string | undefined =>
    env[name] === undefined || env[name] === "" ? undefined : env[name];
  const debug = text("TEU_DEBUG");
  const columns = Number(text("COLUMNS"));
  return {
    root: text("TEU_ROOT") ?? "/var/lib/teu",
    runroot: text("TEU_RUNROOT") ?? "/run/teu",
    runtime: text("TEU_RUNTIME"),
    shim: text("TEU_SHIM"),
    debug: debug !== undefined && debug !== "0" && debug !== "false",
    sourceDateEpoch: text("SOURCE_DATE_EPOCH"),
    term: text("TERM") ?? "",
    columns: Number.isInteger(columns) && columns > 0 ? columns : undefined,
    temporary: text("TMPDIR") ?? "/var/tmp",
    home: text("HOME"),
    keyPassword: env["COSIGN_PASSWORD"],
    registry: Object.fromEntries(
      Object.entries(env).filter(
        (entry): entry is [string, string] => entry[0].startsWith("TEU_REGISTRY_") && entry[1] !== undefined,
      ),
    ),
  };
}
