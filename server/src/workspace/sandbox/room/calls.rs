//! System calls that a check has no use for and that no namespace holds: the kernel refuses them by a filter (seccomp).
//!
//! The list is short on purpose: what a check may not do for want of a capability, or because its namespaces are its own, is
//! not repeated here, and debuggers, browsers, databases and the runtimes of languages keep what they use. The answer is the one
//! that a kernel gives where the feature is missing or switched off, so that programs do without it.
//!
//! Not on it: `userfaultfd`, which reaches nothing outside, and the calls that mount, which need a capability.

use std::io;

use rustix::io::Errno;
use seccompiler::{apply_filter, sock_filter};

/// A kind of processor as the kernel names it, and which column of [`Row::numbers`] is its own. One that runs programs of two
/// sizes has two. Source: linux/audit.h.
const PROCESSORS: [(u32, usize); 4] = [
    // x86_64, and its 32-bit programs.
    (0xC000_003E, 0),
    (0x4000_0003, 1),
    // AArch64, and its 32-bit programs.
    (0xC000_00B7, 2),
    (0x4000_0028, 3),
];

/// No such call there.
const NONE: u32 = u32::MAX;
/// Calls of x86_64 with pointers of 32 bits have this bit in their number: the same calls once more, which hardly any kernel
/// offers. Source: asm/unistd.h, `__X32_SYSCALL_BIT`.
const X32: u32 = 0x4000_0000;

/// Families that programs on one machine and its network use: unix, IPv4, IPv6, netlink, packet. Source: socket(2).
const FAMILIES: &[u32] = &[1, 2, 10, 16, 17];

/// A call that is refused.
struct Row {
    /// Its number on each of [`PROCESSORS`]. Source: the kernel's tables of system calls.
    numbers: [u32; 4],
    when: When,
    answer: Errno,
    #[cfg_attr(not(test), expect(dead_code, reason = "for who reads the table; a test asks for it"))]
    why: &'static str,
}

/// When a call is refused. Arguments are counted from 0, and are compared as the 32 bits that the kernel reads of these.
enum When {
    Always,
    Is(u32, u32),
    IsNoneOf(u32, &'static [u32]),
    HasBit(u32, u32),
}

const fn always(numbers: [u32; 4], answer: Errno, why: &'static str) -> Row {
    Row { numbers, when: When::Always, answer, why }
}

const IOCTL: [u32; 4] = [16, 54, 29, 54];
const PERF_EVENT_OPEN: [u32; 4] = [298, 336, 241, 364];
const KEYS: &str = "keys of the user's session, such as those of Kerberos and of encrypted disks, are in no namespace";
const KERNEL: &str = "it changes the running kernel, which root may where no namespace takes the right away";

const REFUSED: &[Row] = &[
    Row {
        numbers: [41, 359, 198, 281],
        when: When::IsNoneOf(0, FAMILIES),
        answer: Errno::AFNOSUPPORT,
        why: "sockets to the machine that this one is a guest of (vsock), to Bluetooth, the kernel's ciphers and others are not \
              of a network namespace, or are hardly ever tested code of the kernel",
    },
    Row {
        // `socketcall`, with the family in memory, where no filter reads it.
        numbers: [NONE, 102, NONE, NONE],
        when: When::Is(0, 1),
        answer: Errno::AFNOSUPPORT,
        why: "the older way of 32-bit programs to make a socket would go round the row above",
    },
    always([248, 286, 217, 309], Errno::NOSYS, KEYS),
    always([249, 287, 218, 310], Errno::NOSYS, KEYS),
    always([250, 288, 219, 311], Errno::NOSYS, KEYS),
    Row {
        numbers: IOCTL,
        when: When::Is(1, 0x5412),
        answer: Errno::PERM,
        why: "TIOCSTI types into a terminal; a second wall behind the session of its own",
    },
    Row {
        numbers: IOCTL,
        when: When::Is(1, 0x541C),
        answer: Errno::PERM,
        why: "TIOCLINUX reads and types on the console of the machine",
    },
    always(
        [425; 4],
        Errno::NOSYS,
        "what is done through io_uring passes no filter: it would make the sockets refused above",
    ),
    always(
        [321, 357, 280, 386],
        Errno::PERM,
        "programs for the kernel (bpf): most kernels refuse them to ordinary users already, for their faults",
    ),
    Row {
        numbers: PERF_EVENT_OPEN,
        when: When::Is(1, u32::MAX),
        answer: Errno::ACCESS,
        why: "measuring all processes of the machine (own ones may be measured), where its setting allows that",
    },
    Row {
        numbers: PERF_EVENT_OPEN,
        // `PERF_FLAG_PID_CGROUP`
        when: When::HasBit(4, 4),
        answer: Errno::ACCESS,
        why: "the same for the processes of a control group",
    },
    always([103, 103, 116, 103], Errno::PERM, "the kernel's log is in no namespace"),
    always([246, 283, 104, 347], Errno::PERM, KERNEL),
    always([320, NONE, 294, 401], Errno::PERM, KERNEL),
    always([175, 128, 105, 128], Errno::PERM, KERNEL),
    always([313, 350, 273, 379], Errno::PERM, KERNEL),
    always([176, 129, 106, 129], Errno::PERM, KERNEL),
];

/// Has the kernel refuse [`REFUSED`] to this thread and to all that it starts, for good.
///
/// # Errors
/// When the kernel takes no filters.
pub(super) fn refuse() -> io::Result<()> {
    apply_filter(&program()).map_err(io::Error::other)
}

/// The program by which the kernel judges each call; see seccomp(2). Jumps count the instructions that are skipped.
fn program() -> Vec<sock_filter> {
    let mut program = vec![load(ARCHITECTURE)];
    for (processor, column) in PROCESSORS {
        let mut calls = Vec::new();
        if column == 0 {
            // A tracer makes a call that is to be left out number -1.
            let is_x32 = [load(NUMBER), equal(u32::MAX, 2, 0), has_bit(X32, 0, 1), answer(Errno::NOSYS)];
            calls.extend(is_x32);
        }
        for row in REFUSED.iter().filter(|row| row.numbers[column] != NONE) {
            let refused = judge(&row.when, answer(row.answer));
            calls.extend([load(NUMBER), equal(row.numbers[column], 0, jump(refused.len()))]);
            calls.extend(refused);
        }
        calls.push(ALLOW);
        program.push(equal(processor, 0, jump(calls.len())));
        program.extend(calls);
    }
    program.push(answer(Errno::NOSYS));
    program
}

fn judge(when: &When, refuse: sock_filter) -> Vec<sock_filter> {
    match *when {
        When::Always => vec![refuse],
        When::Is(argument, value) => vec![load(low_half(argument)), equal(value, 0, 1), refuse],
        When::HasBit(argument, bit) => vec![load(low_half(argument)), has_bit(bit, 0, 1), refuse],
        When::IsNoneOf(argument, values) => {
            let mut judged = vec![load(low_half(argument))];
            let left = |index: usize| jump(values.len() - index);
            judged.extend(values.iter().enumerate().map(|(index, value)| equal(*value, left(index), 0)));
            judged.push(refuse);
            judged
        }
    }
}

// Where the kernel keeps what is judged, and what an instruction does. Source: linux/seccomp.h, linux/bpf_common.h.

const NUMBER: u32 = 0;
const ARCHITECTURE: u32 = 4;

/// All processors here keep the low half of a number first.
const fn low_half(argument: u32) -> u32 {
    16 + 8 * argument
}

/// `SECCOMP_RET_ALLOW`
const ALLOW: sock_filter = instruction(0x06, 0x7FFF_0000, 0, 0);

const fn answer(errno: Errno) -> sock_filter {
    // `SECCOMP_RET_ERRNO`
    instruction(0x06, 0x0005_0000 | errno.raw_os_error().cast_unsigned(), 0, 0)
}

const fn load(from: u32) -> sock_filter {
    instruction(0x20, from, 0, 0)
}

const fn equal(value: u32, if_so: u8, if_not: u8) -> sock_filter {
    instruction(0x15, value, if_so, if_not)
}

const fn has_bit(bit: u32, if_so: u8, if_not: u8) -> sock_filter {
    instruction(0x45, bit, if_so, if_not)
}

const fn instruction(code: u16, k: u32, jt: u8, jf: u8) -> sock_filter {
    sock_filter { code, jt, jf, k }
}

#[expect(clippy::expect_used, reason = "the table is a constant that a test goes through")]
fn jump(count: usize) -> u8 {
    u8::try_from(count).expect("a jump is shorter than 256 instructions")
}

#[cfg(test)]
mod tests {
    use super::*;

    /// What the program answers, as the kernel would: the number of an error, or 0 if it lets the call pass.
    fn judged(processor: u32, number: u32, arguments: [u32; 6]) -> i32 {
        let program = program();
        let (mut at, mut held) = (0, 0);
        loop {
            let sock_filter { code, jt, jf, k } = program[at];
            at += 1;
            let mut jump_if = |is_so: bool| at += usize::from(if is_so { jt } else { jf });
            match code {
                0x20 if k == NUMBER => held = number,
                0x20 if k == ARCHITECTURE => held = processor,
                0x20 => held = arguments[(k as usize - 16) / 8],
                0x15 => jump_if(held == k),
                0x45 => jump_if(held & k != 0),
                0x06 if k == ALLOW.k => return 0,
                0x06 => return (k & 0xFFFF).cast_signed(),
                other => panic!("no such instruction: {other:#x}"),
            }
        }
    }

    #[test]
    fn on_every_processor_the_rows_are_refused_and_nothing_else() {
        for (processor, column) in PROCESSORS {
            let refused: Vec<u32> = (0..600).filter(|number| judged(processor, *number, [0; 6]) != 0).collect();
            let always = REFUSED.iter().filter(|row| matches!(row.when, When::Always) && row.numbers[column] != NONE);
            let mut expected: Vec<u32> = always.map(|row| row.numbers[column]).collect();
            // Family 0 is none.
            expected.push(REFUSED[0].numbers[column]);
            expected.sort_unstable();
            assert_eq!(refused, expected, "{processor:#x}");
            let socket = REFUSED[0].numbers[column];
            for family in FAMILIES {
                assert_eq!(judged(processor, socket, [*family, 1, 0, 0, 0, 0]), 0);
            }
            assert_eq!(judged(processor, socket, [40, 1, 0, 0, 0, 0]), Errno::AFNOSUPPORT.raw_os_error());
            assert_eq!(judged(processor, IOCTL[column], [0, 0x5412, 0, 0, 0, 0]), Errno::PERM.raw_os_error());
            assert_eq!(judged(processor, IOCTL[column], [0, 0x5413, 0, 0, 0, 0]), 0, "the size of a terminal");
            let perf = PERF_EVENT_OPEN[column];
            assert_eq!(judged(processor, perf, [0, 0, u32::MAX, 0, 0, 0]), 0, "its own processes");
            assert_eq!(judged(processor, perf, [0, 7, 0, 0, 4, 0]), Errno::ACCESS.raw_os_error());
        }
        let [(x86_64, _), (x86, _), ..] = PROCESSORS;
        assert_eq!(judged(x86, 102, [1, 0, 0, 0, 0, 0]), Errno::AFNOSUPPORT.raw_os_error());
        assert_eq!(judged(x86, 102, [3, 0, 0, 0, 0, 0]), 0, "connect");
        assert_eq!(judged(x86_64, X32 | 41, [1; 6]), Errno::NOSYS.raw_os_error());
        assert_eq!(judged(x86_64, u32::MAX, [0; 6]), 0);
        assert_eq!(judged(0x1234, 0, [0; 6]), Errno::NOSYS.raw_os_error());
    }

    #[test]
    fn every_row_has_a_reason() {
        assert!(REFUSED.iter().all(|row| !row.why.is_empty()));
    }

    #[test]
    fn the_kernel_takes_the_program() {
        let refused = std::thread::spawn(|| {
            refuse().map_err(|error| error.to_string())?;
            Ok::<_, String>(std::net::TcpListener::bind("127.0.0.1:0").is_ok())
        });
        match refused.join().expect("the thread ends") {
            Ok(has_socket) => assert!(has_socket),
            Err(error) => assert!(std::env::var_os("CI").is_none(), "{error}"),
        }
    }
}
