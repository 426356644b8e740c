//! sys:mount

use crate::call::Call;
use crate::export::{Export, exports};
use crate::failure::{Failure, On, Outcome};
use std::ffi::{CStr, CString};
use std::os::fd::{BorrowedFd, OwnedFd};
use teu_sys::mount;

pub const EXPORTS: &[Export] = exports! {
    "mount" 5 => mount,
    "umount2" 2 => umount2,
    "pivotRoot" 2 => pivot_root,
    "openTree" 3 => open_tree,
    "moveMount" 5 => move_mount,
    "mountSetattr" 4 => mount_setattr,
    "fsopen" 2 => fsopen,
    "fsconfigString" 3 => fsconfig_string,
    "fsconfigFlag" 2 => fsconfig_flag,
    "fsconfigFd" 3 => fsconfig_fd,
    "fsconfigCreate" 1 => fsconfig_create,
    "fsconfigReconfigure" 1 => fsconfig_reconfigure,
    "fsmount" 3 => fsmount,
    "fspick" 3 => fspick,
};

fn mount(call: &Call) -> Outcome<()> {
    let (source, target, fstype, data) = (call.path(0)?, call.path(1)?, call.path(2)?, call.path(4)?);
    let part = |text: CString| Some(text).filter(|text| !text.is_empty());
    let (source, fstype, data) = (part(source), part(fstype), part(data));
    mount::mount(source.as_deref(), &target, fstype.as_deref(), call.u64(3)?, data.as_deref())
        .on("mount", target.as_bytes())
}

fn umount2(call: &Call) -> Outcome<()> {
    let target = call.path(0)?;
    mount::unmount(&target, call.i32(1)?).on("umount2", target.as_bytes())
}

fn pivot_root(call: &Call) -> Outcome<()> {
    let new_root = call.path(0)?;
    mount::pivot_root(&new_root, &call.path(1)?).on("pivot_root", new_root.as_bytes())
}

fn open_tree(call: &Call) -> Outcome<OwnedFd> {
    let path = call.path(1)?;
    mount::open_tree(call.dirfd(0)?, &path, call.u32(2)?).on("open_tree", path.as_bytes())
}

fn move_mount(call: &Call) -> Outcome<()> {
    let (from, to) = (call.path(1)?, call.path(3)?);
    let subject = if to.is_empty() { &from } else { &to };
    mount::move_mount(call.dirfd(0)?, &from, call.dirfd(2)?, &to, call.u32(4)?).on("move_mount", subject.as_bytes())
}

fn mount_setattr(call: &Call) -> Outcome<()> {
    let path = call.path(1)?;
    let fields = call.record(3)?;
    let attributes = mount::Attributes {
        set: fields.number("set")?,
        clear: fields.number("clear")?,
        propagation: fields.number("propagation")?,
        // -1 means none; the kernel only looks with MOUNT_ATTR_IDMAP.
        userns_fd: fields.number::<i32>("usernsFd")?.max(0) as u64,
    };
    mount::set_attributes(call.dirfd(0)?, &path, call.u32(2)?, &attributes).on("mount_setattr", path.as_bytes())
}

fn fsopen(call: &Call) -> Outcome<OwnedFd> {
    let fstype = call.path(0)?;
    mount::fs_open(&fstype, call.u32(1)?).on("fsopen", fstype.as_bytes())
}

/// A failed fsconfig, with what the kernel left on the context to say about it.
fn with_messages(result: teu_sys::Result<()>, fd: BorrowedFd<'_>, subject: &CStr) -> Outcome<()> {
    result.on("fsconfig", subject.to_bytes()).map_err(|failure| match failure {
        Failure::System { errno, call, mut subject, written } => {
            let messages = mount::fs_messages(fd);
            if !messages.is_empty() {
                if !subject.is_empty() {
                    subject.extend_from_slice(b": ");
                }
                subject.extend_from_slice(&messages);
            }
            Failure::System { errno, call, subject, written }
        }
        other => other,
    })
}

fn fsconfig_string(call: &Call) -> Outcome<()> {
    let (fd, key, value) = (call.fd(0)?, call.path(1)?, call.path(2)?);
    let subject = [key.as_bytes(), b"=", value.as_bytes()].concat();
    with_messages(mount::fs_set_string(fd, &key, &value), fd, &CString::new(subject).unwrap_or_default())
}

fn fsconfig_flag(call: &Call) -> Outcome<()> {
    let (fd, key) = (call.fd(0)?, call.path(1)?);
    with_messages(mount::fs_set_flag(fd, &key), fd, &key)
}

fn fsconfig_fd(call: &Call) -> Outcome<()> {
    let (fd, key, value) = (call.fd(0)?, call.path(1)?, call.fd(2)?);
    with_messages(mount::fs_set_fd(fd, &key, value), fd, &key)
}

fn fsconfig_create(call: &Call) -> Outcome<()> {
    let fd = call.fd(0)?;
    with_messages(mount::fs_create(fd), fd, c"")
}

fn fsconfig_reconfigure(call: &Call) -> Outcome<()> {
    let fd = call.fd(0)?;
    with_messages(mount::fs_reconfigure(fd), fd, c"")
}

fn fsmount(call: &Call) -> Outcome<OwnedFd> {
    mount::fs_mount(call.fd(0)?, call.u32(1)?, call.u32(2)?).on_call("fsmount")
}

fn fspick(call: &Call) -> Outcome<OwnedFd> {
    let path = call.path(1)?;
    mount::fs_pick(call.dirfd(0)?, &path, call.u32(2)?).on("fspick", path.as_bytes())
}
