// Numbers of clone3(2), prctl(2), wait4(2), prlimit(2), capabilities(7), personality(2), keyctl(2), by their names in the kernel's headers.
// portable: no host types here.

export const CLONE_NEWTIME = 0x80;
export const CLONE_VM = 0x100;
export const CLONE_PARENT = 0x8000;
export const CLONE_NEWNS = 0x20000;
export const CLONE_NEWCGROUP = 0x2000000;
export const CLONE_NEWUTS = 0x4000000;
export const CLONE_NEWIPC = 0x8000000;
export const CLONE_NEWUSER = 0x10000000;
export const CLONE_NEWPID = 0x20000000;
export const CLONE_NEWNET = 0x40000000;

export const PR_SET_PDEATHSIG = 1;
export const PR_SET_DUMPABLE = 4;
export const PR_SET_KEEPCAPS = 8;
export const PR_SET_NAME = 15;
export const PR_SET_CHILD_SUBREAPER = 36;
export const PR_SET_NO_NEW_PRIVS = 38;

export const WNOHANG = 1;

export const SIGHUP = 1;
export const SIGINT = 2;
export const SIGQUIT = 3;
export const SIGKILL = 9;
export const SIGTERM = 15;
export const SIGCHLD = 17;
export const SIGCONT = 18;
export const SIGSTOP = 19;
export const SIGURG = 23;
export const SIGWINCH = 28;

export const EXIT_SIGNALED_BASE = 128;

export const PER_LINUX = 0;
export const PER_LINUX32 = 8;

export const IOPRIO_WHO_PROCESS = 1;
