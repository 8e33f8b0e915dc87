//! System calls that no namespace holds, and what the kernel counts.

use std::fs;
use std::process::Command;

use super::attacks::{CANARY, program};
use super::lab::{Lab, Ran, is_root, no_namespaces, on_a_machine, skip};

/// A call of the system by its number; it says `WORKED` when the kernel did it.
fn call(number: u32, arguments: &str) -> String {
    format!(
        "import ctypes, os\nlibc = ctypes.CDLL(None, use_errno=True)\ndone = libc.syscall({number}, {arguments})\n\
         print('WORKED' if done >= 0 else os.strerror(ctypes.get_errno()))"
    )
}

/// Attacks by system calls of x86_64, each with what the check is answered.
fn attacks() -> Vec<(String, &'static str)> {
    let socket = |family: u32| {
        format!(
            "import socket\ntry:\n  socket.socket({family}, socket.SOCK_STREAM)\n  print('WORKED')\nexcept OSError as error:\n  \
             print(error)"
        )
    };
    let ioctl = |request: u32, value: &str| {
        format!(
            "import fcntl, pty\nmain, side = pty.openpty()\ntry:\n  fcntl.ioctl(side, {request}, {value})\n  print('WORKED')\nexcept \
             OSError as error:\n  print(error)"
        )
    };
    let perf = "ctypes.create_string_buffer((1).to_bytes(8, 'little')[:4] + (112).to_bytes(4, 'little') + bytes(104))";
    vec![
        (socket(40), "Address family not supported"),
        (call(248, "b'user', b'baton-test', b'x', 1, -3"), "Function not implemented"),
        (call(250, "0, -3, 1"), "Function not implemented"),
        // What a terminal of its own is told is as good as what the user's is told.
        (ioctl(0x5412, "b'x'"), "Operation not permitted"),
        (call(425, "4, ctypes.create_string_buffer(200)"), "Function not implemented"),
        (call(298, &format!("{perf}, -1, 0, -1, 0")), "Permission denied"),
        (call(103, "10, 0, 0"), "Operation not permitted"),
    ]
}

/// Each is an attack only where this machine has what it needs.
#[test]
fn calls_that_no_namespace_holds_are_refused() {
    if !cfg!(target_arch = "x86_64") {
        skip("the numbers are those of another processor");
        return;
    }
    let lab = Lab::new("//- /a.txt\nx\n");
    let mut held = 0;
    for (text, answer) in attacks() {
        let Some(attack) = program(&text) else { return };
        if !lab.outside_of_sandbox(&attack).contains("WORKED") {
            println!("refused outside already: {text}");
            continue;
        }
        held += 1;
        let is_held = |ran: &Ran| {
            assert!(ran.output().contains(answer) && !ran.output().contains("WORKED"), "{text}\n{ran:?}");
        };
        for ran in [lab.end(&attack), lab.attempt(&attack, &[])] {
            if ran.is_view() {
                is_held(&ran);
            }
        }
        if let Some(ran) = on_a_machine(&lab, &no_namespaces(), &attack, false)
            && ran.level() == "landlock"
        {
            is_held(&ran);
        }
    }
    assert!(held > 0 || skip("this machine refuses all of it to everybody"));
}

/// What the user's session keeps for its programs.
#[test]
fn a_key_of_the_session_is_not_read() {
    // A search for a key of this name, and what is in it.
    let read = "import ctypes\nlibc = ctypes.CDLL(None, use_errno=True)\nkey = libc.syscall(250, 10, -4, b'user', b'baton-canary', \
                0)\nheld = ctypes.create_string_buffer(100)\nlength = libc.syscall(250, 11, key, held, 100)\n\
                print('WORKED', held.value) if length > 0 else print('nothing')";
    let put = format!("import ctypes\nctypes.CDLL(None).syscall(248, b'user', b'baton-canary', b'{CANARY}', 16, -4)");
    let (Some(read), Some(put)) = (program(read), program(&put)) else { return };
    let lab = Lab::new("//- /a.txt\nx\n");
    lab.outside_of_sandbox(&put);
    if !lab.outside_of_sandbox(&read).contains("WORKED") {
        println!("this kernel keeps no keys");
        return;
    }
    for ran in [lab.end(&read), lab.attempt(&read, &[])] {
        if ran.is_view() {
            assert!(ran.output().contains("nothing"), "{ran:?}");
        }
    }
}

/// A program of 64 bits can make the system calls of those of 32 bits, which have other numbers.
#[test]
fn the_calls_of_32_bits_are_no_way_round() {
    let lab = Lab::new("//- /a.txt\nx\n");
    lab.write(
        "calls.c",
        "#include <stdio.h>\nstatic int call(int number, int a, int b, int c) {\n  int done;\n  \
         __asm__ volatile(\"int $0x80\" : \"=a\"(done) : \"a\"(number), \"b\"(a), \"c\"(b), \"d\"(c) : \"memory\", \"r8\", \"r9\", \"r10\", \"r11\");\n  \
         return done;\n}\nint main(void) {\n  printf(\"socket %d log %d own %d\\n\", call(359, 40, 1, 0) >= 0, call(103, 10, 0, 0) >= 0, call(20, 0, 0, 0) > 0);\n  return 0;\n}\n",
    );
    let is_built = cfg!(target_arch = "x86_64")
        && Command::new("cc")
            .arg("-o")
            .args(["calls", "calls.c"])
            .current_dir(lab.root())
            .status()
            .is_ok_and(|it| it.success());
    if !is_built || !lab.outside_of_sandbox("./calls").contains("log 1 own 1") {
        println!("there are no calls of 32 bits here");
        return;
    }
    let ran = lab.end("./calls");
    if ran.is_view() {
        assert_eq!(ran.output(), "socket 0 log 0 own 1\n", "{ran:?}");
    }
}

/// Debuggers, runtimes and tests use these.
#[test]
fn what_programs_need_is_not_refused() {
    let lab = Lab::new("//- /a.txt\nx\n");
    let Some(used) = program(
        "import ctypes, fcntl, os, pty, select, signal, socket, struct, termios\nfor family in [socket.AF_UNIX, socket.AF_INET, socket.AF_INET6]:\n  \
         socket.socket(family, socket.SOCK_STREAM)\nsocket.socket(socket.AF_NETLINK, socket.SOCK_RAW)\nsocket.socketpair()\n\
         main, side = pty.openpty()\nfcntl.ioctl(side, termios.TIOCSWINSZ, struct.pack('HHHH', 20, 40, 0, 0))\n\
         libc = ctypes.CDLL(None, use_errno=True)\nchild = os.fork()\nif child == 0:\n  libc.ptrace(0, 0, 0, 0)\n  os.kill(os.getpid(), \
         signal.SIGSTOP)\n  os._exit(0)\nos.waitpid(child, 0)\nassert libc.ptrace(7, child, 0, 0) == 0\nos.waitpid(child, 0)\n\
         select.epoll()\nlibc.prctl(4, 1, 0, 0, 0)\nprint('all of it')",
    ) else {
        return;
    };
    let ran = lab.end(&used);
    if ran.is_view() {
        assert_eq!(ran.output(), "all of it\n", "{ran:?}");
    }
}

/// The kernel counts the tasks of a check where it lets this user have a group for it.
#[test]
fn a_check_has_a_group_of_its_own_where_one_is_delegated() {
    let lab = Lab::new("//- /a.txt\nx\n");
    let ran = lab.end("cat /proc/self/cgroup");
    let group = ran.output().lines().find_map(|line| line.strip_prefix("0::")).unwrap_or_default().to_owned();
    if !group.contains("/baton-check-") {
        let controllers = fs::read_to_string("/sys/fs/cgroup/cgroup.controllers").unwrap_or_default();
        println!("no group is delegated here: root {}, own {group:?}, controllers {controllers:?}", is_root());
        return;
    }
    assert!(!std::path::Path::new("/sys/fs/cgroup").join(&group[1..]).exists(), "it is removed");
}
