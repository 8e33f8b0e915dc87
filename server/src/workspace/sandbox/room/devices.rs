//! A `/dev` of the room's own: no disk, no terminal of the user, no shared memory of others.

use std::io;
use std::os::unix::fs::symlink;
use std::path::Path;

use rustix::mount::{MountFlags, mount, mount_remount};

use super::covered::{Memory, bind, handle, make_folder, mount_memory};
use super::mounts::at;

const DEVICES: [&str; 6] = ["null", "zero", "full", "random", "urandom", "tty"];

const LINKS: [(&str, &str); 6] = [
    ("/proc/self/fd", "fd"),
    ("/proc/self/fd/0", "stdin"),
    ("/proc/self/fd/1", "stdout"),
    ("/proc/self/fd/2", "stderr"),
    ("pts/ptmx", "ptmx"),
    ("/proc/kcore", "core"),
];

/// Replaces `/dev`. What is mounted over its `shm` is the memory of the whole room, which takes at most this many bytes.
pub(super) fn replace(memory: u64) -> io::Result<Memory> {
    let dev = Path::new("/dev");
    // A device that is missing here is missing there.
    let real: Vec<_> = DEVICES.iter().filter_map(|name| Some((name, handle(&dev.join(name)).ok()?))).collect();
    mount_memory(dev, 1 << 20, "0755")?;
    for (name, from) in &real {
        bind(from, &dev.join(name), false)?;
    }
    for (to, name) in LINKS {
        symlink(to, dev.join(name)).map_err(|error| at(&dev.join(name), error))?;
    }
    for folder in ["pts", "shm", "mqueue"] {
        make_folder(&dev.join(folder))?;
    }
    let flags = MountFlags::NOSUID | MountFlags::NOEXEC;
    mount("devpts", "/dev/pts", "devpts", flags, c"newinstance,ptmxmode=0666,mode=620")
        .map_err(|error| at(&dev.join("pts"), error))?;
    let shm = dev.join("shm");
    let mut memory = Memory::mount(&shm, memory)?;
    memory.place(&shm, 0o1777)?;
    mount_remount("/dev", MountFlags::BIND | MountFlags::RDONLY | MountFlags::NOSUID | MountFlags::NODEV, "")
        .map_err(|error| at(dev, error))?;
    Ok(memory)
}
