//! sys:process

use crate::answer::{Field, Nullable, Record, Text};
use crate::call::Call;
use crate::export::{Export, exports};
use crate::failure::{Failure, On, Outcome};
use crate::start;
use std::os::fd::IntoRawFd;
use teu_sys::clone::{CloneOptions, Cloned};
use teu_sys::exec::StringArray;
use teu_sys::process::Change;
use teu_sys::spawn::Spawn;
use teu_sys::{
    Errno, clone as cloning, exec, identity, image, keyring, process, rlimit, schedule, signal, spawn as spawning,
    system,
};

pub const EXPORTS: &[Export] = exports! {
    "clone3" 1 => clone3,
    "spawn" 1 => spawn,
    "execveat" 5 => execveat,
    "exit" 1 => exit,
    "waitpid" 2 => waitpid,
    "kill" 2 => kill,
    "pidfdOpen" 2 => pidfd_open,
    "pidfdGetfd" 2 => pidfd_getfd,
    "pidfdSendSignal" 2 => pidfd_send_signal,
    "processStat" 1 => process_stat,
    "getpid" 0 => getpid,
    "getppid" 0 => getppid,
    "getuid" 0 => getuid,
    "geteuid" 0 => geteuid,
    "getgid" 0 => getgid,
    "getegid" 0 => getegid,
    "setsid" 0 => setsid,
    "setpgid" 2 => setpgid,
    "setresuid" 3 => setresuid,
    "setresgid" 3 => setresgid,
    "setgroups" 1 => setgroups,
    "getgroups" 0 => getgroups,
    "umask" 1 => umask,
    "chdir" 1 => chdir,
    "fchdir" 1 => fchdir,
    "chroot" 1 => chroot,
    "getcwd" 0 => getcwd,
    "prctl" 5 => prctl,
    "setTitle" 1 => set_title,
    "setrlimit" 4 => setrlimit,
    "getrlimit" 2 => getrlimit,
    "setSignalMask" 1 => set_signal_mask,
    "resetSignals" 0 => reset_signals,
    "ignoreSignal" 1 => ignore_signal,
    "personality" 1 => personality,
    "sethostname" 1 => sethostname,
    "setdomainname" 1 => setdomainname,
    "setpriority" 3 => setpriority,
    "ioprioSet" 3 => ioprio_set,
    "schedSetattr" 2 => sched_setattr,
    "schedSetaffinity" 2 => sched_setaffinity,
    "setMempolicy" 2 => set_mempolicy,
    "joinSessionKeyring" 1 => join_session_keyring,
    "setKeyPermissions" 2 => set_key_permissions,
    "imageSealed" 0 => image_sealed,
    "args" 0 => args,
    "environ" 0 => environ,
    "programName" 0 => program_name,
    "machine" 0 => machine,
    "uname" 0 => uname,
};

fn child(pid: i32, pidfd: i32) -> Record<2> {
    Record([("pid", Field::Number(pid.into())), ("pidfd", Field::Number(pidfd.into()))])
}

fn clone3(call: &Call) -> Outcome<Record<2>> {
    let fields = call.record(0)?;
    let flags: u64 = fields.number("flags")?;
    let cgroup = fields.number_or("cgroupFd", -1)?;
    let options = CloneOptions {
        flags,
        exit_signal: fields.number_or("exitSignal", libc::SIGCHLD as u32)?,
        cgroup: (cgroup >= 0).then_some(cgroup),
    };
    match cloning::clone(&options).on("clone3", format!("0x{flags:x}"))? {
        Cloned::Parent(pid, pidfd) => Ok(child(pid, pidfd.into_raw_fd())),
        Cloned::Child => Ok(child(0, -1)),
    }
}

fn spawn(call: &Call) -> Outcome<Record<2>> {
    let fields = call.record(0)?;
    let options = Spawn {
        path: fields.path("path")?,
        argv: fields.paths("argv")?,
        env: fields.paths("env")?,
        directory: if fields.has("cwd")? { Some(fields.path("cwd")?) } else { None },
        fds: fields.numbers("fds")?,
        death_signal: fields.number_or("deathSignal", 0)?,
        new_session: fields.flag("setsid")?,
    };
    if options.fds.len() > 1024 || options.fds.iter().any(|fd| *fd < -1) {
        return Err(Failure::system(Errno::BADF, "spawn", options.path.as_bytes()));
    }
    match spawning::spawn(&options) {
        Ok((pid, pidfd)) => Ok(child(pid, pidfd.into_raw_fd())),
        Err(failure) => {
            let directory = options.directory.as_deref().filter(|_| failure.call == "chdir");
            let subject = directory.unwrap_or(&options.path);
            Err(Failure::system(failure.errno, failure.call, subject.to_bytes()))
        }
    }
}

fn execveat(call: &Call) -> Outcome<()> {
    let path = call.path(1)?;
    let (argv, env) = (call.paths(2)?, call.paths(3)?);
    let (argv, env) = (StringArray::new(&argv), StringArray::new(&env));
    let errno = exec::execveat(call.dirfd(0)?, &path, &argv, &env, call.i32(4)?);
    Err(Failure::system(errno, "execveat", path.as_bytes()))
}

fn exit(call: &Call) -> Outcome<()> {
    process::exit(call.i32(0)?)
}

fn waitpid(call: &Call) -> Outcome<Nullable<Record<3>>> {
    let pid = call.i32(0)?;
    let changed = process::wait(pid, call.i32(1)?).on("wait4", pid)?;
    Ok(Nullable(changed.map(|(pid, change)| {
        let (kind, code) = match change {
            Change::Exited(code) => ("exited", code),
            Change::Signaled(signal) => ("signaled", signal),
            Change::Stopped(signal) => ("stopped", signal),
            Change::Continued => ("continued", libc::SIGCONT),
        };
        Record([
            ("pid", Field::Number(pid.into())),
            ("kind", Field::Text(kind.into())),
            ("code", Field::Number(code.into())),
        ])
    })))
}

fn kill(call: &Call) -> Outcome<()> {
    let pid = call.i32(0)?;
    process::kill(pid, call.i32(1)?).on("kill", pid)
}

fn pidfd_open(call: &Call) -> Outcome<std::os::fd::OwnedFd> {
    let pid = call.i32(0)?;
    process::pidfd_open(pid, call.u32(1)?).on("pidfd_open", pid)
}

fn pidfd_getfd(call: &Call) -> Outcome<std::os::fd::OwnedFd> {
    let fd = call.i32(1)?;
    process::pidfd_getfd(call.fd(0)?, fd).on("pidfd_getfd", fd)
}

fn pidfd_send_signal(call: &Call) -> Outcome<()> {
    let fd = call.fd(0)?;
    process::pidfd_send_signal(fd, call.i32(1)?).on("pidfd_send_signal", fd)
}

fn process_stat(call: &Call) -> Outcome<Nullable<Record<4>>> {
    let pid = call.i32(0)?;
    let found = system::process_stat(pid).on("read", format!("/proc/{pid}/stat"))?;
    Ok(Nullable(found.map(|stat| {
        Record([
            ("letter", Field::Text(vec![stat.letter])),
            ("parent", Field::Number(stat.parent.into())),
            ("startTime", Field::Number(stat.start_time as f64)),
            ("deaf", Field::Bool(stat.deaf)),
        ])
    })))
}

fn getpid(_call: &Call) -> Outcome<i32> {
    Ok(process::id())
}

fn getppid(_call: &Call) -> Outcome<i32> {
    Ok(process::parent_id())
}

fn getuid(_call: &Call) -> Outcome<u32> {
    Ok(identity::user())
}

fn geteuid(_call: &Call) -> Outcome<u32> {
    Ok(identity::effective_user())
}

fn getgid(_call: &Call) -> Outcome<u32> {
    Ok(identity::group())
}

fn getegid(_call: &Call) -> Outcome<u32> {
    Ok(identity::effective_group())
}

fn setsid(_call: &Call) -> Outcome<i32> {
    process::new_session().on_call("setsid")
}

fn setpgid(call: &Call) -> Outcome<()> {
    let pid = call.i32(0)?;
    process::set_group(pid, call.i32(1)?).on("setpgid", pid)
}

fn setresuid(call: &Call) -> Outcome<()> {
    let real = call.u32(0)?;
    identity::set_users(real, call.u32(1)?, call.u32(2)?).on("setresuid", real)
}

fn setresgid(call: &Call) -> Outcome<()> {
    let real = call.u32(0)?;
    identity::set_groups_of_process(real, call.u32(1)?, call.u32(2)?).on("setresgid", real)
}

fn setgroups(call: &Call) -> Outcome<()> {
    identity::set_supplementary(&call.numbers(0)?).on_call("setgroups")
}

fn getgroups(_call: &Call) -> Outcome<Vec<u32>> {
    identity::supplementary().on_call("getgroups")
}

fn umask(call: &Call) -> Outcome<u32> {
    Ok(process::umask(call.u32(0)?))
}

fn chdir(call: &Call) -> Outcome<()> {
    let path = call.path(0)?;
    process::change_directory(&path).on("chdir", path.as_bytes())
}

fn fchdir(call: &Call) -> Outcome<()> {
    let fd = call.fd(0)?;
    process::change_directory_to(fd).on("fchdir", fd)
}

fn chroot(call: &Call) -> Outcome<()> {
    let path = call.path(0)?;
    process::change_root(&path).on("chroot", path.as_bytes())
}

fn getcwd(_call: &Call) -> Outcome<Text> {
    process::current_directory().map(Text).on_call("getcwd")
}

fn prctl(call: &Call) -> Outcome<f64> {
    let option = call.i32(0)?;
    let mut arguments = [0; 4];
    for (index, argument) in arguments.iter_mut().enumerate() {
        *argument = call.i64(index + 1)? as u64;
    }
    process::prctl(option, arguments).map(|answer| answer as f64).on("prctl", option)
}

fn set_title(call: &Call) -> Outcome<()> {
    let title = call.path(0)?;
    start::set_title(&title).on("prctl(PR_SET_NAME)", title.as_bytes())
}

/// A limit as TypeScript writes it: -1 is RLIM_INFINITY.
fn limit_value(number: i64) -> u64 {
    if number < 0 { u64::MAX } else { number as u64 }
}

fn setrlimit(call: &Call) -> Outcome<()> {
    let (pid, resource) = (call.i32(0)?, call.u32(1)?);
    let limit = rlimit::Limit { soft: limit_value(call.i64(2)?), hard: limit_value(call.i64(3)?) };
    rlimit::exchange(pid, resource, Some(limit)).map(|_| ()).on("prlimit64", resource)
}

fn getrlimit(call: &Call) -> Outcome<Record<2>> {
    let (pid, resource) = (call.i32(0)?, call.u32(1)?);
    let limit = rlimit::exchange(pid, resource, None).on("prlimit64", resource)?;
    let field = |value: u64| Field::Number(if value == u64::MAX { -1.0 } else { value as f64 });
    Ok(Record([("soft", field(limit.soft)), ("hard", field(limit.hard))]))
}

fn set_signal_mask(call: &Call) -> Outcome<()> {
    let signals: Vec<i32> = call.numbers(0)?;
    let mask = signal::mask_of(signals).ok_or_else(|| Failure::system(Errno::INVAL, "rt_sigprocmask", ""))?;
    signal::change_mask(libc::SIG_SETMASK, mask).map(|_| ()).on_call("rt_sigprocmask")
}

fn reset_signals(_call: &Call) -> Outcome<()> {
    signal::reset_all().on_call("rt_sigaction")
}

fn ignore_signal(call: &Call) -> Outcome<()> {
    let number = call.i32(0)?;
    signal::ignore(number).on("rt_sigaction", number)
}

fn personality(call: &Call) -> Outcome<f64> {
    let persona = call.u32(0)?;
    system::personality(persona.into()).map(|old| old as f64).on("personality", format!("0x{persona:x}"))
}

fn sethostname(call: &Call) -> Outcome<()> {
    let name = call.path(0)?;
    system::set_host_name(name.as_bytes()).on("sethostname", name.as_bytes())
}

fn setdomainname(call: &Call) -> Outcome<()> {
    let name = call.path(0)?;
    system::set_domain_name(name.as_bytes()).on("setdomainname", name.as_bytes())
}

fn setpriority(call: &Call) -> Outcome<()> {
    let who = call.u32(1)?;
    schedule::set_priority(call.u32(0)?, who, call.i32(2)?).on("setpriority", who)
}

fn ioprio_set(call: &Call) -> Outcome<()> {
    let who = call.i32(1)?;
    schedule::set_io_priority(call.i32(0)?, who, call.i32(2)?).on("ioprio_set", who)
}

fn sched_setattr(call: &Call) -> Outcome<()> {
    let pid = call.i32(0)?;
    let fields = call.record(1)?;
    let mut attributes = schedule::Attributes::new();
    attributes.policy = fields.number("policy")?;
    attributes.flags = fields.number("flags")?;
    attributes.nice = fields.number("nice")?;
    attributes.priority = fields.number("priority")?;
    attributes.runtime = fields.number("runtime")?;
    attributes.deadline = fields.number("deadline")?;
    attributes.period = fields.number("period")?;
    schedule::set_attributes(pid, &attributes).on("sched_setattr", pid)
}

fn sched_setaffinity(call: &Call) -> Outcome<()> {
    let pid = call.i32(0)?;
    schedule::set_affinity(pid, &call.numbers(1)?).on("sched_setaffinity", pid)
}

fn set_mempolicy(call: &Call) -> Outcome<()> {
    let mode = call.i32(0)?;
    schedule::set_memory_policy(mode, &call.numbers(1)?).on("set_mempolicy", mode)
}

fn join_session_keyring(call: &Call) -> Outcome<i32> {
    let name = call.path(0)?;
    keyring::join_session(&name).on("keyctl(KEYCTL_JOIN_SESSION_KEYRING)", name.as_bytes())
}

fn set_key_permissions(call: &Call) -> Outcome<()> {
    let key = call.i32(0)?;
    keyring::set_permissions(key, call.u32(1)?).on("keyctl(KEYCTL_SETPERM)", key)
}

fn image_sealed(_call: &Call) -> Outcome<bool> {
    Ok(image::sealed())
}

fn args(_call: &Call) -> Outcome<Vec<Text>> {
    Ok(start::get().arguments.iter().map(|text| Text(text.to_bytes().to_vec())).collect())
}

fn environ(_call: &Call) -> Outcome<Vec<Text>> {
    Ok(start::get().environment.iter().map(|text| Text(text.to_bytes().to_vec())).collect())
}

fn program_name(_call: &Call) -> Outcome<Text> {
    Ok(Text(start::get().program.clone()))
}

fn machine(_call: &Call) -> Outcome<Text> {
    system::uname().map(|names| Text(names.machine)).on_call("uname")
}

fn uname(_call: &Call) -> Outcome<Record<5>> {
    let names = system::uname().on_call("uname")?;
    Ok(Record([
        ("sysname", Field::Text(names.sysname)),
        ("nodename", Field::Text(names.nodename)),
        ("release", Field::Text(names.release)),
        ("version", Field::Text(names.version)),
        ("machine", Field::Text(names.machine)),
    ]))
}
