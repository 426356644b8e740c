// The whole contract of native/host, one file per module.

/// <reference path="./process.d.ts" />
/// <reference path="./capability.d.ts" />
/// <reference path="./namespace.d.ts" />
/// <reference path="./mount.d.ts" />
/// <reference path="./fs.d.ts" />
/// <reference path="./socket.d.ts" />
/// <reference path="./terminal.d.ts" />
/// <reference path="./poll.d.ts" />
/// <reference path="./seccomp.d.ts" />
/// <reference path="./bpf.d.ts" />
/// <reference path="./host.d.ts" />
