//! `install.sh`, against a release on loopback that `release/archive.sh` has made.
#![cfg(unix)]
#![expect(clippy::unwrap_used, reason = "a test that cannot continue fails")]

use std::fs;
use std::io::{BufRead, BufReader, Write};
use std::net::{TcpListener, TcpStream};
use std::path::{Path, PathBuf};
use std::process::{Command, Output};
use std::thread;

use crate::support::programs;

/// A program in place of Baton: what is installed is told by what it says.
const PROGRAM: &str = "#!/bin/sh\n[ \"$1\" = --version ] && echo 'baton 9.8.7'\n";

fn repository() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("..")
}

fn write_program(path: &Path, text: &str) {
    fs::create_dir_all(path.parent().unwrap()).unwrap();
    programs::write_program(path, text);
}

/// A release with archives for all machines, and a user without anything installed.
struct Release {
    folder: tempfile::TempDir,
    address: String,
}

impl Release {
    fn new() -> Self {
        let folder = tempfile::tempdir().unwrap();
        let served = folder.path().join("releases");
        let latest = served.join("latest/download");
        let program = folder.path().join("built/baton");
        write_program(&program, PROGRAM);
        for target in ["x86_64-unknown-linux-musl", "aarch64-unknown-linux-musl", "aarch64-apple-darwin"] {
            let mut archive = Command::new(repository().join("release/archive.sh"));
            let made = archive.arg(target).arg(&program).arg(&latest).output().unwrap();
            assert!(made.status.success(), "{}", String::from_utf8_lossy(&made.stderr));
        }
        let sums = Command::new("sh").args(["-c", "sha256sum *.tar.gz > SHA256SUMS"]).current_dir(&latest).status();
        assert!(sums.unwrap().success());
        fs::create_dir_all(served.join("download")).unwrap();
        std::os::unix::fs::symlink(&latest, served.join("download/v9.8.7")).unwrap();
        let listener = TcpListener::bind("127.0.0.1:0").unwrap();
        let address = format!("http://{}", listener.local_addr().unwrap());
        thread::spawn(move || {
            for stream in listener.incoming().flatten() {
                // A reader that leaves early is one that has seen enough.
                let _ = serve(stream, &served);
            }
        });
        Self { folder, address }
    }

    fn file(&self, name: &str) -> PathBuf {
        self.folder.path().join("releases/latest/download").join(name)
    }

    fn home(&self) -> PathBuf {
        self.folder.path().join("home")
    }

    fn installed(&self) -> PathBuf {
        self.home().join(".local/bin/baton")
    }

    /// Runs the script as on this system and machine.
    fn install_on(&self, (system, machine): (&str, &str), arguments: &[&str]) -> Output {
        let uname = format!("#!/bin/sh\ncase $1 in -s) echo {system} ;; -m) echo {machine} ;; esac\n");
        write_program(&self.folder.path().join("bin/uname"), &uname);
        let path = format!("{}:/usr/bin:/bin", self.folder.path().join("bin").display());
        fs::create_dir_all(self.home()).unwrap();
        let mut sh = Command::new("sh");
        sh.arg(repository().join("install.sh")).args(arguments).env_clear();
        sh.env("PATH", path).env("HOME", self.home()).env("BATON_RELEASES", &self.address);
        sh.current_dir(self.home()).output().unwrap()
    }

    fn install(&self, arguments: &[&str]) -> Output {
        self.install_on(("Linux", "x86_64"), arguments)
    }

    /// Asserts that nothing was installed and nothing left, and returns what was said.
    fn refused(&self, output: &Output, code: i32) -> String {
        let said = String::from_utf8_lossy(&output.stderr).into_owned();
        assert_eq!(output.status.code(), Some(code), "{said}");
        assert!(!self.installed().exists() && fs::read_dir(self.home()).unwrap().count() == 0, "{said}");
        said
    }
}

/// Answers one request for a file of a folder.
fn serve(mut stream: TcpStream, folder: &Path) -> std::io::Result<()> {
    let mut lines = BufReader::new(stream.try_clone()?).lines();
    let request = lines.next().transpose()?.unwrap_or_default();
    while lines.next().transpose()?.is_some_and(|line| !line.is_empty()) {}
    let path = request.split(' ').nth(1).unwrap_or_default().trim_start_matches('/');
    let (status, body) = match fs::read(folder.join(path)) {
        Ok(body) => ("200 OK", body),
        Err(_) => ("404 Not Found", Vec::new()),
    };
    write!(stream, "HTTP/1.1 {status}\r\nContent-Length: {}\r\nConnection: close\r\n\r\n", body.len())?;
    stream.write_all(&body)
}

fn version(program: &Path) -> String {
    String::from_utf8(Command::new(program).arg("--version").output().unwrap().stdout).unwrap()
}

#[test]
fn the_archive_of_the_machine_is_installed_where_one_says() {
    let release = Release::new();
    let output = release.install(&[]);
    let said = String::from_utf8_lossy(&output.stdout);
    assert!(output.status.success(), "{said}{}", String::from_utf8_lossy(&output.stderr));
    assert_eq!(version(&release.installed()), "baton 9.8.7\n");
    let installed = release.installed().display().to_string();
    for told in [
        &format!("downloading {}/latest/download/baton-x86_64-unknown-linux-musl.tar.gz", release.address),
        "SHA-256 is as the release says: ",
        &format!("installed baton 9.8.7 as {installed}"),
        ".local/bin is not in your PATH",
        &format!("{installed} demo"),
    ] {
        assert!(said.contains(told), "{told}: {said}");
    }
    let only = fs::read_dir(release.installed().parent().unwrap()).unwrap().count();
    assert_eq!(only, 1, "nothing else is left there");
    for (machine, to) in [(("Linux", "aarch64"), "a b"), (("Darwin", "arm64"), "mac")] {
        let output = release.install_on(machine, &["--to", to, "--version", "9.8.7"]);
        let said = String::from_utf8_lossy(&output.stdout);
        assert!(output.status.success() && said.contains("/download/v9.8.7/baton-aarch64-"), "{said}");
        assert_eq!(version(&release.home().join(to).join("baton")), "baton 9.8.7\n");
    }
}

#[test]
fn what_is_not_as_the_release_says_is_not_installed() {
    let release = Release::new();
    let name = "baton-x86_64-unknown-linux-musl.tar.gz";
    let (archive, sums) = (release.file(name), release.file("SHA256SUMS"));
    let (good, good_sums) = (fs::read(&archive).unwrap(), fs::read_to_string(&sums).unwrap());

    let another = fs::read(release.file("baton-aarch64-unknown-linux-musl.tar.gz")).unwrap();
    for (content, what) in [(&another[..], "another"), (&good[..good.len() - 1], "cut short"), (b"", "empty")] {
        fs::write(&archive, content).unwrap();
        let said = release.refused(&release.install(&[]), 1);
        assert!(said.contains(&format!("{name} is not what the release holds: SHA-256 ")), "{what}: {said}");
    }
    fs::write(&archive, &good).unwrap();

    let line = good_sums.lines().find(|line| line.contains(name)).unwrap();
    for (content, what) in
        [(String::new(), "none"), (format!("{line}\n{line}\n"), "twice"), (name.to_owned(), "no sum")]
    {
        fs::write(&sums, content).unwrap();
        let said = release.refused(&release.install(&[]), 1);
        assert!(said.contains(&format!("does not name {name} once")), "{what}: {said}");
    }
    fs::remove_file(&sums).unwrap();
    let said = release.refused(&release.install(&[]), 1);
    assert!(said.contains("SHA256SUMS cannot be downloaded; nothing was installed"), "{said}");
    fs::write(&sums, good_sums).unwrap();
    assert!(release.install(&[]).status.success(), "it was for these reasons alone");
}

#[test]
fn what_cannot_be_installed_is_said_with_what_to_do() {
    let release = Release::new();
    for (machine, told) in [
        (("Linux", "riscv64"), "no build for Linux on riscv64; build it with Rust and a C compiler: cargo install"),
        (("FreeBSD", "amd64"), "no build for FreeBSD on amd64"),
        (("MINGW64_NT-10.0-26100", "x86_64"), "download baton-x86_64-pc-windows-msvc.zip"),
        (("Darwin", "x86_64"), "baton-x86_64-apple-darwin.tar.gz cannot be downloaded"),
    ] {
        let said = release.refused(&release.install_on(machine, &[]), 1);
        assert!(said.contains(told), "{said}");
    }
    for (arguments, told) in [
        (&["--too", "x"][..], "there is no option --too"),
        (&["--to"], "--to takes a folder"),
        (&["--version"], "--version takes a version"),
    ] {
        let said = release.refused(&release.install(arguments), 2);
        assert!(said.contains(told), "{said}");
    }
    let said = release.refused(&release.install(&["--version", "1.0.0"]), 1);
    assert!(said.contains("/download/v1.0.0/baton-x86_64-unknown-linux-musl.tar.gz cannot be downloaded"), "{said}");
    let unsafe_place = Release { address: "http://example.com".to_owned(), ..release };
    let said = unsafe_place.refused(&unsafe_place.install(&[]), 1);
    assert!(said.contains("is no https address"), "{said}");
}

#[test]
fn a_script_that_arrives_cut_short_does_nothing() {
    let release = Release::new();
    let script = fs::read_to_string(repository().join("install.sh")).unwrap();
    fs::create_dir_all(release.home()).unwrap();
    for part in 1..20 {
        let cut = script.char_indices().nth(script.chars().count() * part / 20).unwrap().0;
        let mut sh = Command::new("sh");
        sh.arg("-c").arg(&script[..cut]).env_clear().env("PATH", "/usr/bin:/bin").env("HOME", release.home());
        let output = sh.env("BATON_RELEASES", &release.address).current_dir(release.home()).output().unwrap();
        assert!(output.stdout.is_empty() && fs::read_dir(release.home()).unwrap().count() == 0, "{part}/20");
    }
}

#[test]
fn a_checkout_without_links_is_told_what_to_do() {
    let folder = tempfile::tempdir().unwrap();
    let program = folder.path().join("build-script");
    let source = Path::new(env!("CARGO_MANIFEST_DIR")).join("build.rs");
    let rustc = std::env::var_os("RUSTC").unwrap_or_else(|| "rustc".into());
    let made = Command::new(rustc).args(["--edition", "2024", "-o"]).arg(&program).arg(source).output().unwrap();
    assert!(made.status.success(), "{}", String::from_utf8_lossy(&made.stderr));
    let errors = || {
        let ran = Command::new(&program).current_dir(folder.path()).output().unwrap();
        let said = String::from_utf8(ran.stdout).unwrap();
        said.lines().filter_map(|line| line.strip_prefix("cargo::error=").map(str::to_owned)).collect::<Vec<_>>()
    };
    let (prompts, licence) = (folder.path().join("prompts"), folder.path().join("LICENSE"));
    fs::write(&prompts, "../prompts").unwrap();
    fs::write(&licence, "../LICENSE").unwrap();
    let told = errors();
    assert_eq!(told.len(), 2, "{told:?}");
    for (error, link) in told.iter().zip(["prompts", "LICENSE"]) {
        assert!(error.starts_with(&format!("server/{link} is not the link to ../{link}")), "{error}");
        assert!(
            error.contains(&format!("git checkout -- server/{link}`; or copy ../{link} to server/{link}")),
            "{error}"
        );
    }
    fs::remove_file(&prompts).unwrap();
    fs::create_dir(&prompts).unwrap();
    fs::write(&licence, "MIT License\n").unwrap();
    assert_eq!(errors(), Vec::<String>::new(), "a package has a folder and a file in their places");
}
