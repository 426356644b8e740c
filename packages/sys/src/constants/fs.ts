// Numbers of open(2), openat2(2), stat(2), close_range(2), flock(2) and statfs(2), by their names in the kernel's headers.
// portable: no host types here. Values are x86_64's; the host translates where a machine differs.

export const O_RDONLY = 0;
export const O_WRONLY = 1;
export const O_RDWR = 2;
export const O_CREAT = 0o100;
export const O_EXCL = 0o200;
export const O_NOCTTY = 0o400;
export const O_TRUNC = 0o1000;
export const O_APPEND = 0o2000;
export const O_NONBLOCK = 0o4000;
export const O_SYNC = 0o4010000;
export const O_DIRECTORY = 0o200000;
export const O_NOFOLLOW = 0o400000;
export const O_CLOEXEC = 0o2000000;
export const O_PATH = 0o10000000;

export const AT_FDCWD = -100;
export const AT_SYMLINK_NOFOLLOW = 0x100;
export const AT_REMOVEDIR = 0x200;
export const AT_SYMLINK_FOLLOW = 0x400;
export const AT_NO_AUTOMOUNT = 0x800;
export const AT_EMPTY_PATH = 0x1000;
export const AT_RECURSIVE = 0x8000;

export const RESOLVE_NO_XDEV = 0x01;
export const RESOLVE_NO_MAGICLINKS = 0x02;
export const RESOLVE_NO_SYMLINKS = 0x04;
export const RESOLVE_BENEATH = 0x08;
export const RESOLVE_IN_ROOT = 0x10;

export const S_IFMT = 0o170000;
export const S_IFSOCK = 0o140000;
export const S_IFLNK = 0o120000;
export const S_IFREG = 0o100000;
export const S_IFBLK = 0o060000;
export const S_IFDIR = 0o040000;
export const S_IFCHR = 0o020000;
export const S_IFIFO = 0o010000;

/** faccessat modes. */
export const F_OK = 0;
export const X_OK = 1;
export const W_OK = 2;
export const R_OK = 4;

/** `last` of close_range for "all that are open". */
export const CLOSE_RANGE_ALL = 4294967295;
export const CLOSE_RANGE_CLOEXEC = 4;

export const LOCK_SH = 1;
export const LOCK_EX = 2;
export const LOCK_NB = 4;
export const LOCK_UN = 8;

export const RENAME_NOREPLACE = 1;
export const RENAME_EXCHANGE = 2;

export const DT_DIR = 4;
export const DT_REG = 8;
export const DT_LNK = 10;

/** f_type of statfs. */
export const PROC_SUPER_MAGIC = 0x9fa0;
export const AAFS_MAGIC = 0x5a3c69f0;
export const SYSFS_MAGIC = 0x62656572;
export const TMPFS_MAGIC = 0x01021994;
export const DEVPTS_SUPER_MAGIC = 0x1cd1;
export const CGROUP_SUPER_MAGIC = 0x27e0eb;
export const CGROUP2_SUPER_MAGIC = 0x63677270;

export const RDTGROUP_SUPER_MAGIC = 0x7655821;
export const SELINUX_MAGIC = 0xf97cff8c;

/** f_flags of statfs: links are not followed (mount option nosymfollow). */
export const ST_NOSYMFOLLOW = 0x2000;

/** Inode number of a procfs's uppermost directory. */
export const PROC_ROOT_INO = 1;

/** stx_attributes: this is the root of a mount. */
export const STATX_ATTR_MOUNT_ROOT = 0x2000;
