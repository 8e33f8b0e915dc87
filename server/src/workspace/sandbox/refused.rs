//! Why there is no view here, in words that say what to do about it.

use std::fs;

use rustix::io::Errno;

use super::room::Fault;

/// Says in one line why a room could not be made.
pub(super) fn why(fault: &Fault) -> String {
    let errno = fault.errno.map(Errno::from_raw_os_error);
    let is_refused = matches!(errno, Some(Errno::PERM | Errno::ACCESS));
    let found = format!("could not {}: {}", fault.step, fault.reason);
    let is_in_namespaces = ["namespaces", "map the user", "loopback"].iter().any(|part| fault.step.contains(part));
    if is_in_namespaces && is_refused && restricted_by_apparmor() {
        return format!(
            "AppArmor keeps programs from user namespaces ({found}); a profile for this program that says `userns,` or \
             kernel.apparmor_restrict_unprivileged_userns = 0 allows them"
        );
    }
    if fault.step.contains("namespaces") && errno == Some(Errno::NOSPC) {
        return format!("no more user namespaces are allowed ({found}); user.max_user_namespaces sets how many");
    }
    if is_in_namespaces && is_refused {
        return format!(
            "user namespaces are refused here ({found}); in a container its seccomp profile decides, else \
             kernel.unprivileged_userns_clone or a security module"
        );
    }
    if fault.step == "mount /proc" && is_refused {
        return format!("parts of /proc are masked, as in most containers, so that no other can be mounted ({found})");
    }
    found
}

fn restricted_by_apparmor() -> bool {
    fs::read_to_string("/proc/sys/kernel/apparmor_restrict_unprivileged_userns").is_ok_and(|text| text.trim() == "1")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn each_refusal_names_what_decides() {
        let fault = |step: &str, errno: Errno| {
            let errno = errno.raw_os_error();
            why(&Fault { step: step.to_owned(), reason: "no".to_owned(), errno: Some(errno) })
        };
        let unshare = "make user, mount, process and network namespaces";
        assert!(fault(unshare, Errno::NOSPC).contains("user.max_user_namespaces"));
        assert!(fault(unshare, Errno::PERM).contains("seccomp") || restricted_by_apparmor());
        assert!(fault("mount /proc", Errno::PERM).contains("masked"));
        assert_eq!(fault("make /dev", Errno::PERM), "could not make /dev: no");
    }
}
