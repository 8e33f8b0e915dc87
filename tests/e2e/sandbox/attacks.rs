//! What a check must not be able to do. Each attack says `WORKED` when it worked: first outside, which shows that it is an
//! attack at all, then in the sandbox, where it must not.

use std::fs;
use std::io::{Read, Write};
use std::net::{TcpListener, UdpSocket};
use std::os::fd::AsFd;
use std::os::unix::net::{UnixListener, UnixStream};
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};
use std::time::{Duration, Instant};

use serde_json::json;

use super::lab::{Lab, Ran, answer_of, is_root, kill, python, skip, sleepers, unique, wait_until};

pub(super) const CANARY: &str = "canary-in-a-cage";

/// Does it outside, where it works, and in a view, at the end of a round and as a try, where it does not. Returns whether
/// there was a view.
#[track_caller]
fn works_only_outside(lab: &Lab, attack: &str) -> bool {
    let outside = lab.outside_of_sandbox(attack);
    assert!(outside.contains("WORKED"), "this is no attack: {attack}\n{outside}");
    is_held(lab, attack)
}

#[track_caller]
fn is_held(lab: &Lab, attack: &str) -> bool {
    for ran in [lab.end(attack), lab.attempt(attack, &[])] {
        if !ran.is_view() {
            return false;
        }
        assert!(ran.ended().starts_with("exited"), "{ran:?}");
        assert!(!ran.output().contains("WORKED"), "{attack}\n{ran:?}");
    }
    true
}

/// A Python program as a shell command; `None`, said, where there is no Python.
pub(super) fn program(text: &str) -> Option<String> {
    match python() {
        Some(python) => Some(format!("{python} - <<'PROGRAM'\n{text}\nPROGRAM\n")),
        None => {
            skip("python3 is not there");
            None
        }
    }
}

/// Connects to an address of the family, writes a byte and says so.
pub(super) fn connect(family: &str, kind: &str, address: &str) -> Option<String> {
    program(&format!(
        "import socket\ns = socket.socket(socket.{family}, socket.{kind})\ns.settimeout(5)\ntry:\n  s.connect({address})\n  \
         s.send(b'x')\n  print('WORKED')\nexcept OSError as error:\n  print(error)"
    ))
}

// ---- Files

#[test]
pub(super) fn nothing_outside_is_written() {
    let lab = Lab::new("//- /a.txt\nx\n");
    let sibling = lab.outside().join("sibling");
    fs::create_dir(&sibling).expect("a folder");
    fs::write(sibling.join("main.rs"), CANARY).expect("a file");
    for attack in [
        "echo y > $OUTSIDE/sibling/new && echo WORKED",
        "rm -f $OUTSIDE/sibling/new && echo WORKED",
        "chmod 777 $OUTSIDE/sibling/main.rs && echo WORKED",
        "touch $OUTSIDE/sibling/main.rs && echo WORKED",
        "ln $OUTSIDE/sibling/main.rs $OUTSIDE/sibling/second && echo WORKED",
        "mv $OUTSIDE/sibling/main.rs $OUTSIDE/sibling/moved && mv $OUTSIDE/sibling/moved $OUTSIDE/sibling/main.rs && echo WORKED",
        "ln -sf $OUTSIDE/sibling link && echo y > link/through && echo WORKED",
    ] {
        fs::write(sibling.join("new"), CANARY).expect("a file");
        let _ = fs::remove_file(sibling.join("second"));
        let _ = fs::remove_file(sibling.join("through"));
        let outside = lab.outside_of_sandbox(attack);
        assert!(outside.contains("WORKED"), "this is no attack: {attack}\n{outside}");
        fs::write(sibling.join("new"), CANARY).expect("a file");
        let _ = fs::remove_file(sibling.join("second"));
        let _ = fs::remove_file(lab.root().join("link"));
        if !is_held(&lab, attack) {
            return;
        }
        for file in ["main.rs", "new"] {
            assert_eq!(fs::read_to_string(sibling.join(file)).expect("a file"), CANARY, "{attack}");
        }
    }
}

/// These can be written in a view, where nothing comes of it.
#[test]
pub(super) fn what_is_written_elsewhere_is_gone_afterwards() {
    let lab = Lab::new("//- /a.txt\nx\n");
    lab.write_at_home(".profile", CANARY);
    let name = format!("baton-{}", unique());
    let places = ["/tmp", "/var/tmp", "/dev/shm"].map(|folder| Path::new(folder).join(&name));
    let written: Vec<String> = places.iter().map(|path| path.display().to_string()).collect();
    let attack = format!(
        "echo evil > ~/.profile; echo evil > ~/.planted; rm -rf ~/.config; echo x > {} && echo x > {} && echo x > {}; echo done",
        written[0], written[1], written[2]
    );
    for ran in [lab.end(&attack), lab.attempt(&attack, &[])] {
        if !ran.is_view() {
            return;
        }
        assert_eq!(ran.output(), "done\n", "{ran:?}");
    }
    assert_eq!(fs::read_to_string(lab.home().join(".profile")).expect("a file"), CANARY);
    assert!(!lab.home().join(".planted").exists());
    for place in places {
        assert!(!place.exists(), "{}", place.display());
    }
}

/// What others keep in the shared folders is not seen either.
#[test]
pub(super) fn the_shared_folders_are_empty() {
    let lab = Lab::new("//- /a.txt\nx\n");
    for folder in ["/tmp", "/var/tmp", "/dev/shm"] {
        let file = tempfile::NamedTempFile::new_in(folder).expect("a file");
        if !works_only_outside(&lab, &format!("test -e {} && echo WORKED", file.path().display())) {
            return;
        }
    }
}

#[test]
pub(super) fn secrets_of_home_and_workspace_are_absent() {
    let lab = Lab::new(&format!("//- /a.txt\nx\n//- /.env\nKEY={CANARY}\n//- /certs/server.key\n{CANARY}\n"));
    for path in [
        ".ssh/id_rsa",
        ".aws/credentials",
        ".gnupg/secring.gpg",
        ".netrc",
        ".config/gh/hosts.yml",
        ".npmrc",
        ".pypirc",
        ".docker/config.json",
        ".kube/config",
        ".azure/token",
        ".config/gcloud/x.db",
        ".cargo/credentials.toml",
        "another/project/.env",
    ] {
        lab.write_at_home(path, CANARY);
    }
    for folder in ["state", "config"] {
        let own = lab.home().parent().expect("a folder").join(folder).join("baton");
        fs::create_dir_all(&own).expect("a folder");
        fs::write(own.join("key"), CANARY).expect("a file");
    }
    fs::hard_link(lab.root().join(".env"), lab.root().join("settings.txt")).expect("a link");
    std::os::unix::fs::symlink(lab.home().join(".ssh"), lab.root().join("keys")).expect("a link");
    for path in [
        ".env",
        "settings.txt",
        "certs/server.key",
        "keys/id_rsa",
        "~/.ssh/id_rsa",
        "~/.aws/credentials",
        "~/.gnupg/secring.gpg",
        "~/.netrc",
        "~/.config/gh/hosts.yml",
        "~/.npmrc",
        "~/.pypirc",
        "~/.docker/config.json",
        "~/.kube/config",
        "~/.azure/token",
        "~/.config/gcloud/x.db",
        "~/.cargo/credentials.toml",
        "~/another/project/.env",
        "$XDG_STATE_HOME/baton/key",
        "$XDG_CONFIG_HOME/baton/key",
    ] {
        let attack = format!("grep -q {CANARY} {path} && echo WORKED; true");
        assert!(lab.outside_of_sandbox(&attack).contains("WORKED"), "{path}");
    }
    // All at once, by every path there is.
    let search = format!(
        "grep -rlI {CANARY} . ~ $XDG_STATE_HOME $XDG_CONFIG_HOME 2>/dev/null | sed 's/^/WORKED /'; \
         umount ~/.ssh ~/.netrc .env 2>/dev/null && echo WORKED; \
         rm -rf ~/.netrc .env 2>/dev/null; cat ~/.netrc .env 2>/dev/null | grep {CANARY} && echo WORKED; true"
    );
    if !is_held(&lab, &search) {
        return;
    }
    // A check that says so sees the secrets, which are masked in what it prints, and Baton's own still not.
    let mut job =
        lab.job("cat ~/.netrc .env; wc -c < .env; cat $XDG_STATE_HOME/baton/key 2>/dev/null && echo WORKED; true");
    job["secrets"] = json!(true);
    let ran = lab.run(&job);
    assert!(
        ran.output().contains("21\n") && !ran.output().contains(CANARY) && !ran.output().contains("WORKED"),
        "{ran:?}"
    );
    assert!(ran.output().contains("KEY=<masked"), "{ran:?}");
}

/// A tracked file that is made a link is no way to have a secret copied.
#[test]
pub(super) fn a_link_in_place_of_a_file_brings_nothing_back() {
    let lab = Lab::new("//- /a.txt\nx\n");
    fs::write(lab.outside().join("private"), CANARY).expect("a file");
    let mut job = lab.job("rm a.txt; ln -s $OUTSIDE/private a.txt; cat a.txt");
    job["end"] = json!(["a.txt"]);
    let ran = lab.run(&job);
    if !ran.is_view() {
        return;
    }
    assert_eq!(ran.output(), CANARY, "it can be read, as any file of no secret");
    assert!(
        !ran.changed().iter().any(|(_, text)| text.as_deref().is_some_and(|text| text.contains(CANARY))),
        "{ran:?}"
    );
}

/// What git or an editor would run later: hooks, settings, tasks; also where git ignores them.
#[test]
pub(super) fn nothing_is_planted_for_later() {
    let lab = Lab::new("//- /a.txt\nx\n//- /.gitignore\n.vscode/\n.idea/\n.husky/\n.envrc\ntarget/\n");
    let git =
        "git init -q . && git config user.email a@b && git config user.name a && git add -A && git commit -qm start";
    assert!(!lab.outside_of_sandbox(git).contains("fatal"));
    let planted = [
        ".git/hooks/pre-commit",
        ".git/hooks/post-checkout",
        ".vscode/tasks.json",
        ".idea/workspace.xml",
        ".husky/pre-commit",
        ".envrc",
        ".nvim.lua",
        ".agent_memory/approval.json",
    ];
    lab.write(".vscode/settings.json", "{}");
    lab.write("target/old", "x");
    let config = lab.text(".git/config");
    let plant: Vec<String> = planted
        .iter()
        .map(|path| format!("mkdir -p $(dirname {path}); echo evil > {path}; test -s {path} && echo WORKED {path}"))
        .collect();
    let attack = format!(
        "{}; git config core.fsmonitor evil; git config core.hooksPath /evil; echo '{{\"evil\": 1}}' > .vscode/settings.json; \
         mkdir -p target; echo cache > target/new",
        plant.join("; ")
    );
    let outside = Lab::new("//- /a.txt\nx\n");
    assert!(
        outside.outside_of_sandbox(&format!("git init -q . && {attack}")).matches("WORKED").count() >= planted.len()
    );
    let ran = lab.end(&attack);
    if !ran.is_view() {
        return;
    }
    assert_eq!(lab.text("target/new"), "cache\n", "an ignored folder is the real one: {ran:?}");
    for path in planted {
        assert!(!lab.root().join(path).exists(), "{path} was planted: {ran:?}");
        assert!(!ran.changed().iter().any(|(changed, _)| changed == path && path.starts_with(".git/")), "{ran:?}");
    }
    assert_eq!(lab.text(".git/config"), config);
    assert_eq!(lab.text(".vscode/settings.json"), "{}");
}

/// An ignored folder may be a link, and is bound through as little as any other folder outside.
#[test]
pub(super) fn an_ignored_link_leads_nowhere() {
    let lab = Lab::new("//- /a.txt\nx\n//- /.gitignore\ntarget\n");
    let cache = lab.outside().join("cache");
    fs::create_dir(&cache).expect("a folder");
    std::os::unix::fs::symlink(&cache, lab.root().join("target")).expect("a link");
    lab.outside_of_sandbox("git init -q .");
    works_only_outside(&lab, "rm -f target/x; echo y > target/x && echo WORKED");
}

// ---- Processes

#[test]
pub(super) fn processes_outside_are_neither_seen_nor_reached() {
    let lab = Lab::new("//- /a.txt\nx\n").with("OPENAI_API_KEY", CANARY).with("A_TOKEN", CANARY);
    let sleeper = lab.start("sleep", &["1000"], &[("VISIBLE", CANARY)]);
    let id = sleeper.0.id();
    for attack in [
        format!("cat /proc/*/environ 2>/dev/null | tr '\\0' '\\n' | grep -q '{CANARY}' && echo WORKED; true"),
        format!("env | grep -q '{CANARY}' && echo WORKED; true"),
        "tr '\\0' '\\n' < /proc/$PPID/environ | grep -q A_TOKEN && echo WORKED; true".to_owned(),
        format!("grep -q sleep /proc/{id}/comm && echo WORKED; true"),
        format!("ls /proc/{id}/root/ && echo WORKED; true"),
        format!("kill -0 {id} && echo WORKED; true"),
    ] {
        // The parent of what is run outside is this test; it stands for Baton.
        if attack.contains("PPID") || works_only_outside(&lab, &attack) {
            if !is_held(&lab, &attack) {
                return;
            }
        } else {
            return;
        }
    }
    let pids = lab.end("ls /proc | grep -c '^[0-9]'");
    assert!(pids.output().trim().parse::<u32>().expect("a number") < 10, "{pids:?}");
}

#[test]
pub(super) fn nothing_is_traced() {
    let lab = Lab::new("//- /a.txt\nx\n");
    let sleeper = lab.start("sleep", &["1000"], &[]);
    let trace = |id: &str| {
        program(&format!(
            "import ctypes, os\nlibc = ctypes.CDLL(None, use_errno=True)\nprint('WORKED' if libc.ptrace(16, {id}, 0, 0) == 0 else \
             os.strerror(ctypes.get_errno()))"
        ))
    };
    let Some(attack) = trace(&sleeper.0.id().to_string()) else { return };
    if lab.outside_of_sandbox(&attack).contains("WORKED") {
        if !is_held(&lab, &attack) {
            return;
        }
    } else {
        skip("tracing is refused outside already");
    }
    // The first process of the namespace: a check that held it would never end.
    is_held(&lab, &trace("1").expect("python"));
}

#[test]
pub(super) fn no_descriptor_is_inherited() {
    let lab = Lab::new("//- /a.txt\nx\n");
    fs::write(lab.outside().join("canary"), CANARY).expect("a file");
    let attack = format!(
        "for fd in /proc/self/fd/* /proc/$$/fd/*; do cat $fd/canary 2>/dev/null | grep -q {CANARY} && echo WORKED; done; true"
    );
    let folder = fs::File::open(lab.outside()).expect("a folder");
    rustix::io::fcntl_setfd(folder.as_fd(), rustix::io::FdFlags::empty()).expect("a flag");
    works_only_outside(&lab, &attack);
}

/// A character that is put into the user's terminal is a command once Baton has ended.
#[test]
fn the_users_terminal_is_not_reached() {
    let lab = Lab::new("//- /a.txt\nx\n");
    if Command::new("script").arg("--version").stdout(Stdio::null()).status().is_err() {
        skip("`script` is not there");
        return;
    }
    let Some(inject) = program(
        "import fcntl, os, termios\ntry:\n  fd = os.open('/dev/tty', os.O_RDWR)\n  print('REACHED')\n  \
         fcntl.ioctl(fd, termios.TIOCSTI, b'x')\n  print('WORKED')\nexcept OSError as error:\n  print(error)",
    ) else {
        return;
    };
    lab.write("inject.sh", &inject);
    let in_terminal = |command: &str| {
        let output = lab.outside_of_sandbox(&format!("script -qec '{command}' /dev/null < /dev/null"));
        output.replace('\r', "")
    };
    let outside = in_terminal("sh inject.sh");
    assert!(outside.contains("REACHED"), "{outside}");
    let job = lab.job("sh inject.sh");
    fs::write(lab.outside().join("job"), job.to_string()).expect("a file");
    let baton = env!("CARGO_BIN_EXE_baton");
    let inside = in_terminal(&format!("{baton} __sandbox job < $OUTSIDE/job > $OUTSIDE/answer"));
    let answer = fs::read_to_string(lab.outside().join("answer")).unwrap_or_default();
    assert!(
        answer.contains("\"ended\"") && !answer.contains("REACHED") && !answer.contains("WORKED"),
        "{answer} {inside}"
    );
}

#[test]
pub(super) fn no_right_is_had_or_had_again() {
    let lab = Lab::new("//- /a.txt\nx\n//- /.env\nKEY=secret-value\n");
    let probe = lab.end("grep -E '^(Cap|NoNewPrivs)' /proc/self/status; id -u");
    if !probe.is_view() {
        return;
    }
    let status = probe.output();
    // Root may keep what it needs for files of other owners: CHOWN, DAC_OVERRIDE, FOWNER, FSETID.
    let allowed: u64 = if is_root() { 0x1b } else { 0 };
    for row in ["CapInh", "CapPrm", "CapEff", "CapBnd", "CapAmb"] {
        let set = status.lines().find_map(|line| line.strip_prefix(row)?.strip_prefix(":\t")).expect("a row");
        assert_eq!(u64::from_str_radix(set, 16).expect("a number") & !allowed, 0, "{row}: {status}");
    }
    assert!(status.contains("NoNewPrivs:\t1"), "{status}");
    assert!(status.ends_with(&format!("\n{}\n", rustix::process::getuid().as_raw())), "{status}");
    for attack in [
        "unshare -U true && echo WORKED; true",
        "unshare -Ur true && echo WORKED; true",
        "unshare -m true && echo WORKED; true",
        "unshare -n true && echo WORKED; true",
        "mount -t tmpfs none /mnt && echo WORKED; true",
        "mount -o remount,rw / && echo WORKED; true",
        "mount -o remount,rw,bind / && echo WORKED; true",
        "mount --bind /tmp /etc && echo WORKED; true",
        "umount .env && echo WORKED; true",
        "umount -l /proc && echo WORKED; true",
        "chroot / true && echo WORKED; true",
        "mknod /tmp/disk b 8 0 && echo WORKED; true",
        "for f in core_pattern hostname; do cat /proc/sys/kernel/$f > /tmp/v; cat /tmp/v > /proc/sys/kernel/$f && echo WORKED; done; true",
        "cat /proc/sys/user/max_user_namespaces > /tmp/v; echo 100 > /proc/sys/user/max_user_namespaces && echo WORKED; true",
        "test -e /dev/kmsg && echo WORKED; test -e /dev/mem && echo WORKED; ls /dev | grep -E '^(sd|vd|nvme)' && echo WORKED; true",
        "for f in /sys/block/*/queue/read_ahead_kb; do cat $f > /tmp/v && cat /tmp/v > $f && echo WORKED; done; true",
        "echo h > /proc/sysrq-trigger && echo WORKED; true",
        "ls /proc/1/root/ >/dev/null && echo WORKED; true",
    ] {
        is_held(&lab, attack);
    }
    if is_root() {
        // The harmless ones of these, to see that they work for who may.
        let outside = lab.outside_of_sandbox("unshare -Ur true && unshare -m true && cat /proc/sys/kernel/core_pattern > v && cat v > /proc/sys/kernel/core_pattern && echo WORKED");
        assert!(outside.contains("WORKED"), "{outside}");
    } else if !lab.outside_of_sandbox("unshare -Ur true && echo WORKED").contains("WORKED") {
        skip("`unshare` is refused outside already");
    }
}

#[test]
pub(super) fn a_daemon_ends_with_the_check() {
    let lab = Lab::new("//- /a.txt\nx\n");
    let seconds = format!("31{}", unique());
    let attack =
        format!("(setsid sh -c 'setsid sleep {seconds} &' >/dev/null 2>&1 </dev/null &) ; sleep 0.3; echo started");
    assert!(lab.outside_of_sandbox(&attack).contains("started"));
    // Outside it goes on.
    wait_until(|| sleepers(&seconds).len() == 1);
    sleepers(&seconds).into_iter().for_each(kill);
    wait_until(|| sleepers(&seconds).is_empty());
    for ran in [lab.end(&attack), lab.attempt(&attack, &[])] {
        assert_eq!(ran.output(), "started\n", "{ran:?}");
        if ran.is_view() {
            assert!(sleepers(&seconds).is_empty());
        }
    }
}

/// Baton itself killed: nothing goes on.
#[test]
pub(super) fn nothing_outlives_a_killed_baton() {
    let lab = Lab::new("//- /a.txt\nx\n");
    if !lab.end("true").is_view() {
        return;
    }
    let seconds = format!("32{}", unique());
    let mut child = lab.baton().spawn().expect("baton");
    let job = lab.job(&format!("setsid sleep {seconds} & sleep {seconds}"));
    let mut stdin = child.stdin.take().expect("a pipe");
    stdin.write_all(job.to_string().as_bytes()).expect("it reads");
    drop(stdin);
    wait_until(|| sleepers(&seconds).len() == 2);
    kill(child.id());
    child.wait().expect("it ends");
    wait_until(|| sleepers(&seconds).is_empty());
}

// ---- What a check may use up

#[test]
pub(super) fn a_fork_bomb_is_held() {
    let lab = Lab::new("//- /a.txt\nx\n");
    let Some(tasks) = program(
        "import threading\nthreading.stack_size(32768)\ngo = threading.Event()\nn = 0\ntry:\n  for n in range(1, 4601):\n    \
         threading.Thread(target=go.wait, daemon=True).start()\n  print('WORKED')\nexcept RuntimeError as error:\n  print(n, error)\nimport os, sys\nsys.stdout.flush()\nos._exit(0)",
    ) else {
        return;
    };
    if lab.outside_of_sandbox(&tasks).contains("WORKED") {
        let ran = lab.end(&tasks);
        if !ran.is_view() {
            return;
        }
        assert!(!ran.output().contains("WORKED"), "{ran:?}");
    } else {
        skip("there cannot be so many threads outside either");
    }
    let mut job = lab.job("b() { b | b & }; b; sleep 1; echo survived");
    job["timeout_ms"] = json!(8_000);
    let began = Instant::now();
    let ran = lab.run(&job);
    if ran.is_view() {
        assert!(began.elapsed() < Duration::from_secs(60), "{ran:?}");
        let after = lab.outside_of_sandbox("for i in 1 2 3 4 5; do true | cat; done; echo WORKED");
        assert!(after.contains("WORKED"), "others can still start programs");
    }
}

/// Nothing that is written there is kept, so none of it may fill what others need.
#[test]
pub(super) fn what_is_written_has_a_size() {
    let lab = Lab::new("//- /a.txt\nx\n");
    let Some(sizes) = program(
        "import os\nfor path in ['/tmp', '/var/tmp', '/dev/shm', '/run']:\n  s = os.statvfs(path)\n  \
         print('WORKED' if s.f_blocks * s.f_frsize > (4 << 30) or s.f_files == 0 or s.f_files > 10 << 20 else 'sized', path)",
    ) else {
        return;
    };
    let ran = lab.end(&sizes);
    if ran.is_view() {
        assert_eq!(ran.output().matches("sized").count(), 4, "{ran:?}");
    }
    // One bound for all of them: what fills one is missing in the others.
    let shared = "head -c 8M /dev/zero > /tmp/full; for f in /tmp /var/tmp /dev/shm /run; do stat -fc %f $f; done | sort | uniq | wc -l";
    let ran = lab.end(shared);
    // bwrap divides it instead.
    if ran.is_view() && !ran.is_by_bwrap() {
        assert_eq!(ran.output(), "1\n", "{ran:?}");
    }
}

// ---- The network and what is like it

#[test]
pub(super) fn the_hosts_network_is_not_reached() {
    let lab = Lab::new("//- /a.txt\nx\n");
    let tcp = TcpListener::bind("127.0.0.1:0").expect("a listener");
    let tcp6 = TcpListener::bind("[::1]:0").ok();
    let udp = UdpSocket::bind("127.0.0.1:0").expect("a socket");
    udp.set_nonblocking(true).expect("a flag");
    let address = |port: u16, host: &str| format!("('{host}', {port})");
    let mut attacks = vec![("AF_INET", address(tcp.local_addr().expect("bound").port(), "127.0.0.1"))];
    if let Some(tcp6) = &tcp6 {
        attacks.push(("AF_INET6", address(tcp6.local_addr().expect("bound").port(), "::1")));
    }
    // Another host, as far as a test has one: an address of this machine that is not its loopback.
    let route = UdpSocket::bind("0.0.0.0:0").expect("a socket");
    let other = route.connect("192.0.2.77:9").and_then(|()| route.local_addr()).ok().map(|address| address.ip());
    let listener = other.and_then(|ip| TcpListener::bind((ip, 0)).ok());
    match listener.as_ref().map(|listener| listener.local_addr().expect("bound")) {
        Some(bound) if !bound.ip().is_loopback() => {
            attacks.push(("AF_INET", address(bound.port(), &bound.ip().to_string())));
        }
        _ => drop(skip("this machine has no address but its loopback")),
    }
    for (family, address) in attacks {
        let Some(attack) = connect(family, "SOCK_STREAM", &address) else { return };
        if !works_only_outside(&lab, &attack) {
            return;
        }
    }
    // A question to a name server.
    let question = connect("AF_INET", "SOCK_DGRAM", &address(udp.local_addr().expect("bound").port(), "127.0.0.1"))
        .expect("python");
    assert!(lab.outside_of_sandbox(&question).contains("WORKED"));
    let mut byte = [0; 8];
    wait_until(|| udp.recv(&mut byte).is_ok());
    lab.end(&question);
    assert!(udp.recv(&mut byte).is_err(), "nothing came");
    let name = program("import socket\ntry:\n  socket.getaddrinfo('example.com', 80)\n  print('WORKED')\nexcept OSError as error:\n  print(error)").expect("python");
    is_held(&lab, &name);
    // `network = true` is what gives it back.
    let mut job = lab.job(
        &connect("AF_INET", "SOCK_STREAM", &address(tcp.local_addr().expect("bound").port(), "127.0.0.1"))
            .expect("python"),
    );
    job["network"] = json!(true);
    assert!(lab.run(&job).output().contains("WORKED"));
}

/// A listener at a path, which takes what comes.
struct Service {
    path: PathBuf,
    _listener: UnixListener,
}

impl Service {
    fn at(path: PathBuf) -> Option<Self> {
        let listener = UnixListener::bind(&path).ok()?;
        Some(Self { path, _listener: listener })
    }
}

impl Drop for Service {
    fn drop(&mut self) {
        let _ = fs::remove_file(&self.path);
    }
}

#[test]
pub(super) fn sockets_of_the_host_are_not_reached_by_their_paths() {
    let lab = Lab::new("//- /a.txt\nx\n//- /.gitignore\ntarget/\n//- /target/x\n1\n");
    lab.outside_of_sandbox("git init -q .");
    let name = format!("b{}.sock", unique());
    let mut folders = vec![lab.root(), lab.root().join("target"), lab.home(), lab.outside()];
    folders.extend(["/run", "/var/lib", "/var/tmp", "/tmp", "/dev/shm", "/opt", "/etc"].map(PathBuf::from));
    for folder in folders {
        let Some(service) = Service::at(folder.join(&name)) else {
            println!("{} cannot be written by this user", folder.display());
            continue;
        };
        // A path of a socket is short, and a long one is reached from its folder.
        let Some(attack) = connect("AF_UNIX", "SOCK_STREAM", &format!("'{name}'")) else { return };
        let attack = format!("cd {} && {attack}", service.path.parent().expect("a folder").display());
        if !works_only_outside(&lab, &attack) {
            return;
        }
    }
}

#[test]
pub(super) fn fifos_of_the_host_are_not_reached() {
    let lab = Lab::new("//- /a.txt\nx\n//- /.gitignore\ntarget/\n//- /target/x\n1\n");
    lab.outside_of_sandbox("git init -q .");
    for folder in [lab.root(), lab.root().join("target"), lab.home(), lab.outside()] {
        let path = folder.join("commands");
        let mode = rustix::fs::Mode::from_raw_mode(0o600);
        rustix::fs::mknodat(rustix::fs::CWD, &path, rustix::fs::FileType::Fifo, mode, 0).expect("a FIFO");
        let mut open = fs::OpenOptions::new();
        std::os::unix::fs::OpenOptionsExt::custom_flags(&mut open, rustix::fs::OFlags::NONBLOCK.bits().cast_signed());
        let mut service = open.read(true).write(true).open(&path).expect("a FIFO");
        let attack = format!("timeout 2 sh -c 'echo command > {}'; true", path.display());
        let mut bytes = [0; 64];
        lab.outside_of_sandbox(&attack);
        assert_eq!(service.read(&mut bytes).ok(), Some(8), "outside it arrives");
        for ran in [lab.end(&attack), lab.attempt(&attack, &[])] {
            if !ran.is_view() {
                return;
            }
            assert!(service.read(&mut bytes).is_err(), "{}: {ran:?}", path.display());
        }
    }
}

#[test]
pub(super) fn abstract_sockets_of_the_host_are_not_reached() {
    use std::os::linux::net::SocketAddrExt;
    let lab = Lab::new("//- /a.txt\nx\n");
    let name = format!("baton-{}", unique());
    let address = std::os::unix::net::SocketAddr::from_abstract_name(&name).expect("a name");
    let _listener = UnixListener::bind_addr(&address).expect("a listener");
    assert!(UnixStream::connect_addr(&address).is_ok());
    let Some(attack) = connect("AF_UNIX", "SOCK_STREAM", &format!("'\\0{name}'")) else { return };
    works_only_outside(&lab, &attack);
}

#[test]
pub(super) fn shared_memory_of_the_host_is_not_seen() {
    let lab = Lab::new("//- /a.txt\nx\n");
    let made = lab.outside_of_sandbox("ipcmk -M 4096");
    let Some(id) = made.split(": ").nth(1).map(str::trim).filter(|id| id.parse::<u32>().is_ok()) else {
        skip("`ipcmk` is not there");
        return;
    };
    let attack = format!("awk '$2 == {id} {{ print \"WORKED\" }}' /proc/sysvipc/shm; true");
    works_only_outside(&lab, &attack);
    lab.outside_of_sandbox(&format!("ipcrm -m {id}"));
}

// ---- What is shown

#[test]
pub(super) fn nothing_that_is_printed_drives_a_terminal() {
    let lab = Lab::new("//- /a.txt\nx\n").with("A_TOKEN", CANARY);
    let attack = format!("printf '\\033]0;evil\\007\\033[2Jred\\033[31m\\033]52;c;ZXZpbA==\\007 {CANARY}\\n'");
    assert!(lab.outside_of_sandbox(&attack).contains("\u{1b}]52"));
    let log = lab.outside().join("log");
    let mut job = lab.job(&attack);
    job["log"] = json!(log);
    let ran: Ran = answer_of(lab.baton(), &job);
    assert_eq!(ran.output(), "red <masked by Baton: secret>\n");
    assert_eq!(fs::read_to_string(log).expect("a log"), ran.output());
}
