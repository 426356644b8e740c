//! sys:fs

use crate::answer::{Bytes, Field, Record, Text};
use crate::call::Call;
use crate::export::{Export, exports};
use crate::failure::{Failure, On, Outcome, Subject};
use std::os::fd::{AsFd, IntoRawFd, OwnedFd};
use teu_sys::{Errno, copy, directory, entry, file, replace, stat, xattr};

pub const EXPORTS: &[Export] = exports! {
    "openat2" 5 => openat2,
    "openIfThere" 5 => open_if_there,
    "openat" 4 => openat,
    "close" 1 => close,
    "closeRange" 3 => close_range,
    "read" 2 => read,
    "pread" 3 => pread,
    "write" 2 => write,
    "writeSome" 2 => write_some,
    "pwrite" 3 => pwrite,
    "lseek" 3 => lseek,
    "readTextAt" 3 => read_text_at,
    "writeTextAt" 3 => write_text_at,
    "fstat" 1 => fstat,
    "ownerAt" 2 => owner_at,
    "statAt" 3 => stat_at,
    "fstatfs" 1 => fstatfs,
    "filesystemType" 1 => filesystem_type,
    "accessAt" 3 => access_at,
    "mkdirAt" 3 => mkdir_at,
    "mknodAt" 5 => mknod_at,
    "symlinkAt" 3 => symlink_at,
    "linkAt" 5 => link_at,
    "unlinkAt" 3 => unlink_at,
    "renameAt" 5 => rename_at,
    "readlinkAt" 2 => readlink_at,
    "fchmod" 2 => fchmod,
    "chmodAt" 4 => chmod_at,
    "chownAt" 5 => chown_at,
    "fchown" 3 => fchown,
    "ftruncate" 2 => ftruncate,
    "fsync" 1 => fsync,
    "flock" 2 => flock,
    "readDir" 1 => read_dir,
    "removeTree" 2 => remove_tree,
    "getxattr" 2 => getxattr,
    "setxattr" 4 => setxattr,
    "fsetxattr" 4 => fsetxattr,
    "memfdCreate" 2 => memfd_create,
    "addSeals" 2 => add_seals,
    "pipe2" 1 => pipe2,
    "dup" 2 => dup,
    "dup3" 3 => dup3,
    "setCloexec" 2 => set_cloexec,
    "setNonblock" 2 => set_nonblock,
    "mkfifoAt" 3 => mkfifo_at,
    "copy" 3 => copy_bytes,
    "replaceFileAt" 5 => replace_file_at,
};

/// The contract has x86_64's numbers on every machine.
pub fn open_flags(flags: u32) -> u32 {
    if !cfg!(target_arch = "aarch64") {
        return flags;
    }
    // O_DIRECT, O_LARGEFILE, O_DIRECTORY, O_NOFOLLOW: the four that 64-bit ARM numbers differently.
    const PAIRS: [(u32, u32); 4] = [(0x4000, 0x10000), (0x8000, 0x20000), (0x10000, 0x4000), (0x20000, 0x8000)];
    let kept = flags & !0x3c000;
    PAIRS.iter().filter(|(x86, _)| flags & x86 != 0).fold(kept, |flags, (_, arm)| flags | arm)
}

fn openat2(call: &Call) -> Outcome<OwnedFd> {
    let path = call.path(1)?;
    let flags = open_flags(call.u32(2)?);
    file::openat2(call.dirfd(0)?, &path, flags, call.u32(3)?, call.u64(4)?).on("openat2", path.as_bytes())
}

fn open_if_there(call: &Call) -> Outcome<i32> {
    let path = call.path(1)?;
    let flags = open_flags(call.u32(2)?);
    match file::openat2(call.dirfd(0)?, &path, flags, call.u32(3)?, call.u64(4)?) {
        Ok(fd) => Ok(fd.into_raw_fd()),
        Err(Errno::NOENT | Errno::NOTDIR) => Ok(-1),
        Err(errno) => Err(Failure::system(errno, "openat2", path.as_bytes())),
    }
}

fn openat(call: &Call) -> Outcome<OwnedFd> {
    let path = call.path(1)?;
    file::openat(call.dirfd(0)?, &path, open_flags(call.u32(2)?), call.u32(3)?).on("openat", path.as_bytes())
}

fn close(call: &Call) -> Outcome<()> {
    file::close(call.raw_fd(0)?).on("close", call.fd(0)?)
}

fn close_range(call: &Call) -> Outcome<()> {
    file::close_range(call.u32(0)?, call.u32(1)?, call.u32(2)?).on_call("close_range")
}

fn read(call: &Call) -> Outcome<Bytes> {
    file::read(call.fd(0)?, call.count(1)?).map(Bytes).on("read", call.fd(0)?)
}

fn pread(call: &Call) -> Outcome<Bytes> {
    file::pread(call.fd(0)?, call.count(1)?, call.u64(2)?).map(Bytes).on("pread64", call.fd(0)?)
}

fn write(call: &Call) -> Outcome<f64> {
    let data = call.data(1)?;
    match file::write_all(call.fd(0)?, &data) {
        Ok(()) => Ok(data.len() as f64),
        Err((errno, written)) => {
            let subject = call.fd(0)?.text();
            Err(Failure::System { errno, call: "write", subject, written: Some(written) })
        }
    }
}

fn write_some(call: &Call) -> Outcome<f64> {
    file::write_some(call.fd(0)?, call.bytes(1)?).map(|count| count as f64).on("write", call.fd(0)?)
}

fn pwrite(call: &Call) -> Outcome<f64> {
    let written = file::pwrite(call.fd(0)?, call.bytes(1)?, call.u64(2)?);
    written.map(|count| count as f64).on("pwrite64", call.fd(0)?)
}

fn lseek(call: &Call) -> Outcome<f64> {
    let position = file::lseek(call.fd(0)?, call.i64(1)?, call.i32(2)?);
    position.map(|position| position as f64).on("lseek", call.fd(0)?)
}

fn read_text_at(call: &Call) -> Outcome<Text> {
    let path = call.path(1)?;
    let limit = call.count(2)?;
    // Not blocking: a FIFO in the place of a file has an end at once, or EAGAIN.
    let flags = (libc::O_RDONLY | libc::O_NONBLOCK) as u32;
    let fd = file::openat(call.dirfd(0)?, &path, flags, 0).on("openat", path.as_bytes())?;
    file::read_to_end(fd.as_fd(), limit).map(Text).on("read", path.as_bytes())
}

fn write_text_at(call: &Call) -> Outcome<()> {
    let path = call.path(1)?;
    let text = call.text(2)?;
    let fd = file::openat(call.dirfd(0)?, &path, libc::O_WRONLY as u32, 0).on("openat", path.as_bytes())?;
    // One write: these files take a command per write, not a stream of bytes.
    match file::write_some(fd.as_fd(), &text).on("write", path.as_bytes())? {
        count if count == text.len() => Ok(()),
        count => {
            Err(Failure::System { errno: Errno::IO, call: "write", subject: path.into_bytes(), written: Some(count) })
        }
    }
}

fn stat_record(found: &stat::Statx) -> Record<14> {
    let nanoseconds = |seconds: i64, rest: u32| Field::Big(seconds * 1_000_000_000 + i64::from(rest));
    let number = |value: u32| Field::Number(f64::from(value));
    Record([
        ("mode", Field::Number(f64::from(found.stx_mode))),
        ("uid", number(found.stx_uid)),
        ("gid", number(found.stx_gid)),
        ("size", Field::Number(found.stx_size as f64)),
        ("ino", Field::Number(found.stx_ino as f64)),
        ("nlink", number(found.stx_nlink)),
        ("devMajor", number(found.stx_dev_major)),
        ("devMinor", number(found.stx_dev_minor)),
        ("rdevMajor", number(found.stx_rdev_major)),
        ("rdevMinor", number(found.stx_rdev_minor)),
        ("mtimeNs", nanoseconds(found.stx_mtime.tv_sec, found.stx_mtime.tv_nsec)),
        ("ctimeNs", nanoseconds(found.stx_ctime.tv_sec, found.stx_ctime.tv_nsec)),
        ("mountId", Field::Number(found.stx_mnt_id as f64)),
        ("attributes", Field::Number(found.stx_attributes.bits() as f64)),
    ])
}

fn fstat(call: &Call) -> Outcome<Record<14>> {
    stat::of(call.fd(0)?).map(|found| stat_record(&found)).on("statx", call.fd(0)?)
}

fn owner_at(call: &Call) -> Outcome<u32> {
    let path = call.path(1)?;
    stat::at(call.dirfd(0)?, &path, 0).map(|found| found.stx_uid).on("statx", path.as_bytes())
}

fn stat_at(call: &Call) -> Outcome<Record<14>> {
    let path = call.path(1)?;
    stat::at(call.dirfd(0)?, &path, call.u32(2)?).map(|found| stat_record(&found)).on("statx", path.as_bytes())
}

fn fstatfs(call: &Call) -> Outcome<Record<5>> {
    let found = stat::file_system(call.fd(0)?).on("fstatfs", call.fd(0)?)?;
    Ok(Record([
        ("type", Field::Number(found.magic as f64)),
        ("flags", Field::Number(found.flags as f64)),
        ("blockSize", Field::Number(found.block_size as f64)),
        ("blocks", Field::Number(found.blocks as f64)),
        ("blocksFree", Field::Number(found.blocks_free as f64)),
    ]))
}

fn filesystem_type(call: &Call) -> Outcome<f64> {
    let path = call.path(0)?;
    match stat::file_system_type(&path) {
        Ok(magic) => Ok(magic as f64),
        Err(Errno::NOENT | Errno::NOTDIR) => Ok(0.0),
        Err(errno) => Err(Failure::system(errno, "statfs", path.as_bytes())),
    }
}

fn access_at(call: &Call) -> Outcome<bool> {
    let path = call.path(1)?;
    stat::access(call.dirfd(0)?, &path, call.u32(2)?).on("faccessat2", path.as_bytes())
}

fn mkdir_at(call: &Call) -> Outcome<()> {
    let path = call.path(1)?;
    entry::make_directory(call.dirfd(0)?, &path, call.u32(2)?).on("mkdirat", path.as_bytes())
}

fn mknod_at(call: &Call) -> Outcome<()> {
    let path = call.path(1)?;
    entry::make_node(call.dirfd(0)?, &path, call.u32(2)?, call.u32(3)?, call.u32(4)?).on("mknodat", path.as_bytes())
}

fn symlink_at(call: &Call) -> Outcome<()> {
    let path = call.path(2)?;
    entry::make_symlink(&call.path(0)?, call.dirfd(1)?, &path).on("symlinkat", path.as_bytes())
}

fn link_at(call: &Call) -> Outcome<()> {
    let to = call.path(3)?;
    entry::link(call.dirfd(0)?, &call.path(1)?, call.dirfd(2)?, &to, call.u32(4)?).on("linkat", to.as_bytes())
}

fn unlink_at(call: &Call) -> Outcome<()> {
    let path = call.path(1)?;
    entry::unlink(call.dirfd(0)?, &path, call.u32(2)?).on("unlinkat", path.as_bytes())
}

fn rename_at(call: &Call) -> Outcome<()> {
    let from = call.path(1)?;
    entry::rename(call.dirfd(0)?, &from, call.dirfd(2)?, &call.path(3)?, call.u32(4)?).on("renameat2", from.as_bytes())
}

fn readlink_at(call: &Call) -> Outcome<Text> {
    let path = call.path(1)?;
    entry::read_link(call.dirfd(0)?, &path).map(Text).on("readlinkat", path.as_bytes())
}

fn fchmod(call: &Call) -> Outcome<()> {
    entry::change_mode(call.fd(0)?, call.u32(1)?).on("fchmod", call.fd(0)?)
}

fn chmod_at(call: &Call) -> Outcome<()> {
    let path = call.path(1)?;
    entry::change_mode_at(call.dirfd(0)?, &path, call.u32(2)?, call.u32(3)?).on("fchmodat", path.as_bytes())
}

fn chown_at(call: &Call) -> Outcome<()> {
    let path = call.path(1)?;
    entry::change_owner_at(call.dirfd(0)?, &path, call.u32(2)?, call.u32(3)?, call.u32(4)?)
        .on("fchownat", path.as_bytes())
}

fn fchown(call: &Call) -> Outcome<()> {
    entry::change_owner(call.fd(0)?, call.u32(1)?, call.u32(2)?).on("fchown", call.fd(0)?)
}

fn ftruncate(call: &Call) -> Outcome<()> {
    file::truncate(call.fd(0)?, call.u64(1)?).on("ftruncate", call.fd(0)?)
}

fn fsync(call: &Call) -> Outcome<()> {
    file::sync(call.fd(0)?).on("fsync", call.fd(0)?)
}

fn flock(call: &Call) -> Outcome<()> {
    file::lock(call.fd(0)?, call.i32(1)?).on("flock", call.fd(0)?)
}

fn read_dir(call: &Call) -> Outcome<Vec<Record<2>>> {
    let entries = directory::read(call.fd(0)?).on("getdents64", call.fd(0)?)?;
    let record = |entry: directory::Entry| {
        Record([("name", Field::Text(entry.name.into_bytes())), ("type", Field::Number(entry.kind.into()))])
    };
    Ok(entries.into_iter().map(record).collect())
}

fn remove_tree(call: &Call) -> Outcome<()> {
    let path = call.path(1)?;
    directory::remove_tree(call.dirfd(0)?, &path).on("removeTree", path.as_bytes())
}

fn getxattr(call: &Call) -> Outcome<Bytes> {
    let path = call.path(0)?;
    xattr::get(&path, &call.path(1)?).map(Bytes).on("getxattr", path.as_bytes())
}

fn setxattr(call: &Call) -> Outcome<()> {
    let path = call.path(0)?;
    xattr::set(&path, &call.path(1)?, call.bytes(2)?, call.u32(3)?).on("setxattr", path.as_bytes())
}

fn fsetxattr(call: &Call) -> Outcome<()> {
    xattr::set_of(call.fd(0)?, &call.path(1)?, call.bytes(2)?, call.u32(3)?).on("fsetxattr", call.fd(0)?)
}

fn memfd_create(call: &Call) -> Outcome<OwnedFd> {
    let name = call.path(0)?;
    file::memfd(&name, call.u32(1)?).on("memfd_create", name.as_bytes())
}

fn add_seals(call: &Call) -> Outcome<()> {
    file::add_seals(call.fd(0)?, call.u32(1)?).on("fcntl(F_ADD_SEALS)", call.fd(0)?)
}

fn pipe2(call: &Call) -> Outcome<(OwnedFd, OwnedFd)> {
    file::pipe(open_flags(call.u32(0)?) as i32).on_call("pipe2")
}

fn dup(call: &Call) -> Outcome<OwnedFd> {
    file::duplicate(call.fd(0)?, call.raw_fd(1)?).on("fcntl(F_DUPFD_CLOEXEC)", call.fd(0)?)
}

fn dup3(call: &Call) -> Outcome<()> {
    file::duplicate_to(call.fd(0)?, call.raw_fd(1)?, call.bool(2)?).on("dup3", call.fd(0)?)
}

fn set_cloexec(call: &Call) -> Outcome<()> {
    file::set_cloexec(call.fd(0)?, call.bool(1)?).on("fcntl(F_SETFD)", call.fd(0)?)
}

fn set_nonblock(call: &Call) -> Outcome<()> {
    file::set_nonblock(call.fd(0)?, call.bool(1)?).on("fcntl(F_SETFL)", call.fd(0)?)
}

fn mkfifo_at(call: &Call) -> Outcome<()> {
    let path = call.path(1)?;
    let mode = call.u32(2)? & 0o7777 | libc::S_IFIFO;
    entry::make_node(call.dirfd(0)?, &path, mode, 0, 0).on("mknodat", path.as_bytes())
}

fn copy_bytes(call: &Call) -> Outcome<f64> {
    let moved = copy::copy(call.fd(0)?, call.fd(1)?, call.u64(2)?);
    moved.map(|count| count as f64).on("copy", call.fd(0)?)
}

fn replace_file_at(call: &Call) -> Outcome<()> {
    let path = call.path(1)?;
    let data = call.data(2)?;
    replace::replace(call.dirfd(0)?, &path, &data, call.u32(3)?, call.bool(4)?).on("replaceFileAt", path.as_bytes())
}
