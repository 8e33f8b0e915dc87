//! Why this machine refuses a view, in words for people: what refused, and what whoever runs the machine can do.
//!
//! The step that failed and the system's reason come from doing it; what is read here only explains them, and decides
//! nothing.

use std::fs;

use rustix::io::Errno;

use super::room::Fault;
use super::why::Why;

/// Why a room could not be made.
pub(super) struct Refused {
    pub(super) why: Why,
    pub(super) fault: Option<Fault>,
}

impl Refused {
    /// Whether the machine refuses it, whatever the workspace holds.
    pub(super) fn is_of_machine(&self) -> bool {
        self.is_of_overlays() || self.fault.as_ref().is_some_and(|fault| fault.is_of_machine)
    }

    pub(super) fn is_of_overlays(&self) -> bool {
        self.fault.as_ref().is_some_and(Fault::is_of_overlays)
    }

    /// No view where the machine refuses it; else one that says that nothing runs in it, and tries again for each job.
    pub(super) fn or_nothing_runs<View>(self, view: View) -> Result<(View, Option<Why>), Why> {
        if self.fault.is_some_and(|fault| fault.is_of_machine) {
            return Err(self.why);
        }
        Ok((view, Some(Why::new("checks do not run", format!("checks do not run: {}", self.why.long)))))
    }
}

/// What the machine says of itself.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
struct Signs {
    /// `kernel.apparmor_restrict_unprivileged_userns` is 1 (Ubuntu).
    apparmor_restricts: bool,
    /// `user.max_user_namespaces` is 0.
    no_namespaces: bool,
    /// `kernel.unprivileged_userns_clone` is 0 (Debian's kernels).
    clone_is_off: bool,
    /// A filter of system calls holds this process.
    is_filtered: bool,
    /// This process runs in a container.
    in_container: bool,
    /// SELinux enforces its policy.
    selinux_enforces: bool,
    /// This process runs below another root folder than the system's.
    is_root_changed: bool,
}

impl Signs {
    /// Those of this machine.
    fn read() -> Self {
        let is = |path: &str, value: &str| fs::read_to_string(path).is_ok_and(|text| text.trim() == value);
        let status = fs::read_to_string("/proc/self/status").unwrap_or_default();
        let groups = fs::read_to_string("/proc/1/cgroup").unwrap_or_default();
        let marks = ["/.dockerenv", "/run/.containerenv", "/run/systemd/container"];
        let engines = ["docker", "containerd", "kubepods", "libpod", "lxc"];
        Self {
            apparmor_restricts: is("/proc/sys/kernel/apparmor_restrict_unprivileged_userns", "1"),
            no_namespaces: is("/proc/sys/user/max_user_namespaces", "0"),
            clone_is_off: is("/proc/sys/kernel/unprivileged_userns_clone", "0"),
            is_filtered: status.lines().any(|line| line.split_whitespace().eq(["Seccomp:", "2"])),
            in_container: marks.iter().any(|mark| fs::metadata(mark).is_ok())
                || engines.iter().any(|engine| groups.contains(engine)),
            selinux_enforces: is("/sys/fs/selinux/enforce", "1"),
            is_root_changed: is_root_changed(),
        }
    }
}

/// Whether the root folder of this process is no mount: that of a `chroot`.
fn is_root_changed() -> bool {
    let mounts = fs::read_to_string("/proc/self/mountinfo").unwrap_or_default();
    !mounts.is_empty() && !mounts.lines().any(|line| line.split(' ').nth(4) == Some("/"))
}

/// Says why a room could not be made, and what can be done.
pub(super) fn why(fault: &Fault) -> Why {
    explain(fault, &Signs::read())
}

fn explain(fault: &Fault, signs: &Signs) -> Why {
    let Fault { step, reason, errno, .. } = fault;
    let is = |wanted: Errno| *errno == Some(wanted.raw_os_error());
    let is_denied = is(Errno::PERM) || is(Errno::ACCESS);
    if is(Errno::NOSPC) && signs.no_namespaces {
        return Why::new(
            "no user namespaces",
            "user namespaces are switched off here (user.max_user_namespaces is 0); an administrator can allow them with \
             `sysctl user.max_user_namespaces=10000`",
        );
    }
    if is_denied {
        if signs.clone_is_off {
            return Why::new(
                "no user namespaces",
                "this kernel keeps user namespaces for root (kernel.unprivileged_userns_clone is 0); an administrator \
                 can allow them with `sysctl kernel.unprivileged_userns_clone=1`",
            );
        }
        // There `unshare` succeeds, and what needs a capability fails after it.
        if signs.apparmor_restricts {
            return Why::new(
                "AppArmor refuses it",
                "AppArmor takes the rights from user namespaces here (kernel.apparmor_restrict_unprivileged_userns is \
                 1); an administrator can add a profile for Baton with `userns,`, install bwrap 0.11 (bubblewrap) with \
                 the profile that allows it, or set that to 0 with sysctl",
            );
        }
        if signs.is_root_changed {
            return Why::new("in a chroot", "user namespaces are refused below a changed root folder (chroot)");
        }
        if signs.in_container || signs.is_filtered {
            let (short, place) = match signs.in_container {
                true => ("container refuses it", "this container"),
                false => ("seccomp refuses it", "a filter of system calls (seccomp)"),
            };
            let remedy =
                "whoever starts it can allow user namespaces and mounts, or give checks a machine of their own";
            return Why::new(short, format!("{place} refuses to {step} ({reason}); {remedy}"));
        }
        if signs.selinux_enforces {
            let long = format!("SELinux refuses to {step} ({reason}); its audit log names the rule");
            return Why::new("SELinux refuses it", long);
        }
    }
    Why::unknown(format!("could not {step}: {reason}"))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn with(change: impl FnOnce(&mut Signs)) -> Signs {
        let mut signs = Signs::default();
        change(&mut signs);
        signs
    }

    /// What is seen on the systems that are known to refuse, and what is said there.
    #[test]
    fn who_refuses_is_named_with_what_can_be_done() {
        let step = "make namespaces";
        let cases = [
            (
                "switched off",
                step,
                Errno::NOSPC,
                with(|signs| signs.no_namespaces = true),
                "sysctl user.max_user_namespaces",
            ),
            ("Debian", step, Errno::PERM, with(|signs| signs.clone_is_off = true), "unprivileged_userns_clone=1"),
            ("Ubuntu, maps", "map users", Errno::PERM, with(|signs| signs.apparmor_restricts = true), "`userns,`"),
            (
                "Ubuntu, mounts",
                "make mounts private",
                Errno::ACCESS,
                with(|signs| signs.apparmor_restricts = true),
                "AppArmor",
            ),
            (
                "Docker",
                step,
                Errno::PERM,
                with(|signs| signs.in_container = true),
                "this container refuses to make namespaces (no)",
            ),
            (
                "masked /proc",
                "mount /proc",
                Errno::PERM,
                with(|signs| signs.in_container = true),
                "refuses to mount /proc",
            ),
            (
                "seccomp",
                step,
                Errno::PERM,
                with(|signs| signs.is_filtered = true),
                "a filter of system calls (seccomp) refuses",
            ),
            ("chroot", step, Errno::PERM, with(|signs| signs.is_root_changed = true), "chroot"),
            (
                "SELinux",
                step,
                Errno::ACCESS,
                with(|signs| signs.selinux_enforces = true),
                "SELinux refuses to make namespaces",
            ),
            ("nobody known", step, Errno::PERM, Signs::default(), "could not make namespaces: no"),
            // A sign explains only what it can cause.
            (
                "another fault",
                "try out overlays",
                Errno::INVAL,
                with(|signs| signs.apparmor_restricts = true),
                "could not try out overlays: no",
            ),
        ];
        for (name, step, errno, signs, part) in cases {
            let why = explain(&fault(step, "no", Some(errno)), &signs);
            assert!(why.long.contains(part), "{name}: {why:?}");
            assert!(why.short.len() <= 21, "{name}: {why:?}");
        }
        let unknown = explain(&fault("read the command", "it ended", None), &Signs::default());
        assert_eq!(unknown, Why::unknown("could not read the command: it ended"));
    }

    fn fault(step: &str, reason: &str, errno: Option<Errno>) -> Fault {
        Fault {
            step: step.to_owned(),
            reason: reason.to_owned(),
            errno: errno.map(Errno::raw_os_error),
            is_of_machine: true,
        }
    }

    #[test]
    fn this_machine_can_be_read() {
        assert!(!Signs::read().is_root_changed);
    }
}
