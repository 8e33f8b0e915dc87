//! What each level stops and what it does not, for whoever runs the tests and, where that is root, for an ordinary user.

use std::fs;
use std::net::{TcpListener, UdpSocket};
use std::os::linux::net::SocketAddrExt;
use std::os::unix::fs::PermissionsExt;
use std::os::unix::net::{SocketAddr, UnixListener};
use std::path::PathBuf;

use super::attacks::{CANARY, connect, program};
use super::bwrap::only_bwrap;
use super::lab::{Lab, is_root, kill, no_namespaces, on_a_machine, python, skip, sleepers};

/// Nobody's account.
const ORDINARY: u32 = 12_345;

struct Attack {
    name: &'static str,
    /// Says `WORKED`, or leaves what `has_worked` looks for.
    command: String,
    has_worked: Option<Box<dyn Fn() -> bool>>,
    /// Whether Landlock alone stops it. A view stops all.
    is_held_by_landlock: bool,
}

/// A machine to attack.
struct Target {
    lab: Lab,
    user: Option<u32>,
    attacks: Vec<Attack>,
    /// What is attacked, for as long as this lives.
    _kept: Vec<Box<dyn std::any::Any>>,
}

impl Target {
    fn new(user: Option<u32>) -> Self {
        let lab = Lab::new("//- /a.txt\nx\n").with("OPENAI_API_KEY", CANARY);
        lab.outside_of_sandbox("git init -q .");
        lab.write_at_home(".profile", CANARY);
        lab.write_at_home(".ssh/id_rsa", CANARY);
        let sibling = lab.outside().join("main.rs");
        lab.write(sibling.to_str().expect("UTF-8"), CANARY);
        let mut target = Self { lab, user, attacks: Vec::new(), _kept: Vec::new() };
        target.files();
        target.processes();
        target.sockets();
        if let Some(user) = user {
            target.lab.give_to(user);
        }
        target
    }

    fn says(&mut self, is_held_by_landlock: bool, name: &'static str, command: impl Into<String>) {
        let command = format!("{} && echo WORKED", command.into());
        self.attacks.push(Attack { name, command, has_worked: None, is_held_by_landlock });
    }

    fn python(&mut self, is_held_by_landlock: bool, name: &'static str, command: Option<String>) {
        if let Some(command) = self.of_user(command) {
            self.attacks.push(Attack { name, command, has_worked: None, is_held_by_landlock });
        }
    }

    fn leaves(
        &mut self,
        is_held_by_landlock: bool,
        name: &'static str,
        command: &str,
        has_worked: impl Fn() -> bool + 'static,
    ) {
        let has_worked: Option<Box<dyn Fn() -> bool>> = Some(Box::new(has_worked));
        self.attacks.push(Attack { name, command: command.to_owned(), has_worked, is_held_by_landlock });
    }

    fn files(&mut self) {
        self.says(true, "write in another project", "echo evil > $OUTSIDE/new");
        self.says(true, "remove in another project", "echo x > $OUTSIDE/new; rm $OUTSIDE/new");
        self.says(false, "permissions of a file in another project", "chmod 700 $OUTSIDE/main.rs");
        self.says(false, "time of a file in another project", "touch -c $OUTSIDE/main.rs");
        self.says(true, "mount", "mount -t tmpfs none $OUTSIDE && umount $OUTSIDE");
        self.says(false, "read a key of the home folder", format!("grep -q {CANARY} ~/.ssh/id_rsa"));
        let profile = self.lab.home().join(".profile");
        self.leaves(true, "write the home folder", "echo evil >> ~/.profile", file_changes(profile));
        let hook = self.lab.root().join(".git/hooks/planted");
        self.leaves(false, "plant a hook", "echo evil >> .git/hooks/planted", file_changes(hook));
        let temporary = PathBuf::from(format!("/tmp/baton-levels-{}-{}", std::process::id(), self.user.unwrap_or(0)));
        let command = format!("echo x >> {0}; chmod 666 {0}", temporary.display());
        self.leaves(false, "write /tmp", &command, file_changes(temporary.clone()));
        self._kept.push(Box::new(Removed(temporary)));
    }

    fn processes(&mut self) {
        let (program_name, mut arguments) = ("sleep", vec!["1000"]);
        let ids = self.user.map(|user| user.to_string());
        let sleeper = match &ids {
            Some(user) => {
                let mut all = vec!["--reuid", user, "--regid", user, "--clear-groups", program_name];
                all.append(&mut arguments);
                self.lab.start("setpriv", &all, &[("VISIBLE", CANARY)])
            }
            None => self.lab.start(program_name, &arguments, &[("VISIBLE", CANARY)]),
        };
        let id = sleeper.0.id();
        super::lab::wait_until(|| fs::read_to_string(format!("/proc/{id}/comm")).is_ok_and(|name| name == "sleep\n"));
        self._kept.push(Box::new(sleeper));
        self.says(true, "keys in the own environment", format!("env | grep -q {CANARY}"));
        self.says(true, "the environment of others", format!("tr '\\0' '\\n' < /proc/{id}/environ | grep -q {CANARY}"));
        self.says(false, "the names of others", format!("grep -q sleep /proc/{id}/comm"));
        self.says(true, "a signal", format!("kill -0 {id}"));
        let seconds = format!("36{}{}", std::process::id(), self.user.unwrap_or(0));
        let daemon =
            format!("(setsid sh -c 'setsid sleep {seconds} &' >/dev/null 2>&1 </dev/null &) ; sleep 0.3; true");
        self.leaves(true, "a daemon", &daemon, move || {
            let left = sleepers(&seconds);
            left.iter().copied().for_each(kill);
            !left.is_empty()
        });
        self.python(
            true,
            "tracing",
            program(&format!(
                "import ctypes\nlibc = ctypes.CDLL(None)\nprint('WORKED' if libc.ptrace(16, {id}, 0, 0) == 0 else '')"
            )),
        );
    }

    fn sockets(&mut self) {
        let tcp = TcpListener::bind("127.0.0.1:0").expect("a listener");
        let address = format!("('127.0.0.1', {})", tcp.local_addr().expect("bound").port());
        self.python(true, "TCP to this machine", connect("AF_INET", "SOCK_STREAM", &address));
        self._kept.push(Box::new(tcp));
        let udp = UdpSocket::bind("127.0.0.1:0").expect("a socket");
        udp.set_nonblocking(true).expect("a flag");
        let address = format!("('127.0.0.1', {})", udp.local_addr().expect("bound").port());
        if let Some(command) = self.of_user(connect("AF_INET", "SOCK_DGRAM", &address)) {
            self.leaves(false, "UDP to this machine", &command, move || udp.recv(&mut [0; 8]).is_ok());
        }
        let path = self.lab.outside().join("s");
        let listener = UnixListener::bind(&path).expect("a listener");
        fs::set_permissions(&path, fs::Permissions::from_mode(0o777)).expect("a mode");
        let command = connect("AF_UNIX", "SOCK_STREAM", "'s'").map(|command| format!("cd $OUTSIDE && {command}"));
        self.python(false, "a socket by its path", command);
        self._kept.push(Box::new(listener));
        let name = format!("baton-levels-{}-{}", std::process::id(), self.user.unwrap_or(0));
        let address = SocketAddr::from_abstract_name(&name).expect("a name");
        self._kept.push(Box::new(UnixListener::bind_addr(&address).expect("a listener")));
        self.python(true, "an abstract socket", connect("AF_UNIX", "SOCK_STREAM", &format!("'\\0{name}'")));
    }

    /// The same with a Python that the user reaches: that of whoever runs the tests may lie in a closed home folder.
    fn of_user(&self, command: Option<String>) -> Option<String> {
        const SYSTEM: &str = "/usr/bin/python3";
        match self.user {
            Some(_) if !fs::exists(SYSTEM).is_ok_and(|exists| exists) => {
                skip("there is no Python for another user");
                None
            }
            Some(_) => Some(command?.replace(&python()?, SYSTEM)),
            None => command,
        }
    }

    /// All attacks in one shell, each with a word of its own.
    fn script(&self) -> String {
        let one = |(number, attack): (usize, &Attack)| {
            format!("(\n{}\n) 2>/dev/null\n", attack.command.replace("WORKED", &format!("WORKED-{number}.")))
        };
        let all: String = self.attacks.iter().enumerate().map(one).collect();
        format!("{all}echo all done")
    }

    /// The attacks that worked, by what was printed and what is found afterwards.
    fn worked(&self, output: &str) -> Vec<&'static str> {
        assert!(output.contains("all done"), "{output}");
        let has_worked = |(number, attack): &(usize, &Attack)| match &attack.has_worked {
            Some(look) => look(),
            None => output.contains(&format!("WORKED-{number}.")),
        };
        self.attacks.iter().enumerate().filter(has_worked).map(|(_, attack)| attack.name).collect()
    }

    /// What starts a program as the user.
    fn become_user(&self) -> String {
        self.user.map_or_else(String::new, |user| format!("setpriv --reuid {user} --regid {user} --clear-groups "))
    }
}

/// Whether a file is another one than when this was asked last.
fn file_changes(path: PathBuf) -> impl Fn() -> bool {
    let known = std::cell::RefCell::new(fs::read(&path).ok());
    move || {
        let now = fs::read(&path).ok();
        known.replace(now.clone()) != now
    }
}

/// Removes a file in the end.
struct Removed(PathBuf);

impl Drop for Removed {
    fn drop(&mut self) {
        let _ = fs::remove_file(&self.0);
    }
}

#[test]
fn what_each_level_stops() {
    let users = if is_root() { vec![None, Some(ORDINARY)] } else { vec![None] };
    for user in users {
        let target = Target::new(user);
        let become_user = target.become_user();
        let script = target.lab.outside().join("script");
        fs::write(&script, target.script()).expect("a file");
        fs::set_permissions(&script, fs::Permissions::from_mode(0o644)).expect("a mode");
        let outside = target.lab.outside_of_sandbox(&format!("{become_user}sh $OUTSIDE/script"));
        if !outside.contains("all done") {
            skip("another user does not reach the folder of the tests");
            continue;
        }
        let attacks = target.worked(&outside);
        // An ordinary user may neither mount nor, on some machines, trace; whatever else is here is an attack.
        let is_none = |attack: &&Attack| !attacks.contains(&attack.name);
        let none: Vec<_> = target.attacks.iter().filter(is_none).map(|attack| attack.name).collect();
        assert!(none.iter().all(|name| ["mount", "tracing"].contains(name)), "no attacks: {none:?}\n{outside}");
        assert!(!is_root() || user.is_some() || none.is_empty(), "no attacks: {none:?}");

        for edits in [false, true] {
            let machine = format!("exec {become_user}\"$BATON\" __sandbox job");
            let Some(ran) = on_a_machine(&target.lab, &machine, &target.script(), edits) else { return };
            if ran.is_view() {
                assert_eq!(target.worked(ran.output()), Vec::<&str>::new(), "{user:?}, {edits}");
            }
        }
        if let Some(machine) = only_bwrap(&target.lab, &format!("{become_user}\"$BATON\" __sandbox job")) {
            for edits in [false, true] {
                let Some(ran) = on_a_machine(&target.lab, &machine, &target.script(), edits) else { return };
                assert!(ran.is_by_bwrap(), "{user:?}: {ran:?}");
                assert_eq!(target.worked(ran.output()), Vec::<&str>::new(), "{user:?}, {edits}");
            }
        }
        let machine = no_namespaces().replacen("exec ", &format!("exec {become_user}"), 1);
        let Some(ran) = on_a_machine(&target.lab, &machine, &target.script(), false) else { return };
        if ran.level() != "landlock" {
            skip("no Landlock here");
            return;
        }
        let not_held = target.attacks.iter().filter(|attack| !attack.is_held_by_landlock).map(|attack| attack.name);
        assert_eq!(target.worked(ran.output()), not_held.collect::<Vec<_>>(), "{user:?}: {ran:?}");
    }
}
