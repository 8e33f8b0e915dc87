//! A sandbox must not get in the way: real small projects, with their real tools and warm caches.
//!
//! That a cache is warm is told by what the tool says or keeps, never by how long it takes. `tests/setup.sh projects` installs
//! the tools; one that is not there is said and skipped, and in CI that is a failure.

use std::collections::BTreeMap;
use std::fs;
use std::os::unix::fs::MetadataExt;
use std::path::{Path, PathBuf};

use super::lab::{Lab, Ran, python, skip};
use crate::support::editors::{go, pytest_python, tool, vite};

/// Every file of a folder with its size, mode and time.
fn snapshot(folder: &Path) -> BTreeMap<PathBuf, (u64, u32, i64, i64)> {
    let mut all = BTreeMap::new();
    let mut folders = vec![folder.to_owned()];
    while let Some(folder) = folders.pop() {
        for entry in fs::read_dir(folder).expect("a folder").map(|entry| entry.expect("an entry")) {
            let metadata = entry.metadata().expect("metadata");
            if metadata.is_dir() {
                folders.push(entry.path());
            }
            all.insert(entry.path(), (metadata.size(), metadata.mode(), metadata.mtime(), metadata.mtime_nsec()));
        }
    }
    all
}

#[track_caller]
fn passes(ran: &Ran, printed: &str) {
    assert_eq!(ran.ended(), "exited 0", "{ran:?}");
    assert!(ran.output().contains(printed), "{printed}: {ran:?}");
}

/// The command passes outside and is warm then; tried with an edit that breaks it, it fails, with one that mends nothing it
/// passes, and nothing of the workspace or the home folder is different afterwards. At the end of a round it passes too.
/// Returns what the tries said; `None` where there is no view.
#[track_caller]
fn stands_by(lab: &Lab, command: &str, good: (&str, &str), bad: (&str, &str), printed: &str) -> Option<[Ran; 3]> {
    let outside = lab.outside_of_sandbox(command);
    assert!(outside.contains(printed), "{outside}");
    let before = snapshot(&lab.home());
    let warm = lab.attempt(command, &[]);
    if !warm.is_view() {
        return None;
    }
    passes(&warm, printed);
    let broken = lab.attempt(command, &[(bad.0, Some(bad.1))]);
    assert!(broken.ended().starts_with("exited ") && broken.ended() != "exited 0", "{broken:?}");
    let mended = lab.attempt(command, &[(good.0, Some(good.1))]);
    passes(&mended, printed);
    assert_eq!(snapshot(&lab.home()), before, "a try leaves nothing");
    passes(&lab.end(command), printed);
    Some([warm, broken, mended])
}

#[test]
pub(super) fn cargo_test() {
    let cargo_home = std::env::var_os("CARGO_HOME")
        .map(PathBuf::from)
        .or_else(|| Some(Path::new(&std::env::var_os("HOME")?).join(".cargo")));
    let Some(cargo_home) = cargo_home else {
        skip("there is no home folder");
        return;
    };
    let library = "pub fn double(n: u32) -> u32 { cfg_if::cfg_if! { if #[cfg(any())] { 0 } else { n * 2 } } }\n\
                   #[test] fn doubles() { assert_eq!(double(2), 4); }\n";
    // A dependency of Baton's own, so that it is in the cache of whoever has built it.
    let manifest = "[package]\nname = \"small\"\nversion = \"0.1.0\"\nedition = \"2021\"\n[dependencies]\ncfg-if = \"1\"\n[workspace]\n";
    let lab = Lab::new(&format!("//- /Cargo.toml\n{manifest}//- /src/lib.rs\n{library}//- /.gitignore\ntarget/\n"))
        .with("CARGO_HOME", cargo_home);
    lab.outside_of_sandbox("git init -q .");
    let bad = library.replace("n * 2", "n * 3");
    let good = library.replace("n * 2", "n + n");
    let command = "cargo test --offline --lib";
    let tried = stands_by(&lab, command, ("src/lib.rs", &good), ("src/lib.rs", &bad), "test doubles ... ok");
    let Some([warm, broken, _]) = tried else { return };
    assert!(!warm.output().contains("Compiling"), "a warm cache is used: {warm:?}");
    assert!(broken.output().contains("Compiling small"), "an edit is newer than what was built: {broken:?}");
    // What is built at the end of a round is there for the next.
    fs::write(lab.root().join("src/lib.rs"), good).expect("a file");
    assert!(lab.end(command).output().contains("Compiling small"));
    assert!(!lab.end(command).output().contains("Compiling"));
}

/// A project with a dependency in `node_modules`, as npm installs it, and a build that keeps a cache there.
fn npm_project() -> Option<Lab> {
    tool("npm")?;
    tool("node")?;
    let build = "const fs = require('node:fs');\nconst kept = 'node_modules/.cache/code.txt';\n\
                 const source = fs.readFileSync('code.js', 'utf8');\n\
                 const warm = fs.existsSync(kept) && fs.readFileSync(kept, 'utf8') === source;\n\
                 fs.mkdirSync('node_modules/.cache', { recursive: true });\nfs.writeFileSync(kept, source);\n\
                 console.log(warm ? 'cache: warm' : 'cache: cold');\n";
    let test = "const test = require('node:test');\nconst assert = require('node:assert');\nconst { double } = require('./code.js');\n\
                test('doubles', () => assert.strictEqual(double(2), 4));\n";
    let package = "{ \"name\": \"small\", \"version\": \"1.0.0\", \"scripts\": { \"pretest\": \"node build.js\", \"test\": \"node --test\" } }\n";
    let lab = Lab::new(&format!(
        "//- /package.json\n{package}//- /code.js\n{NODE_CODE}//- /code.test.js\n{test}//- /build.js\n{build}\
         //- /.gitignore\nnode_modules/\n"
    ));
    for (folder, version, code) in
        [("one", "1.0.0", "exports.twice = (n) => n * 2;\n"), ("two", "2.0.0", "exports.twice = (n) => n + n;\n")]
    {
        lab.write_at_home(
            &format!("{folder}/package.json"),
            &format!("{{ \"name\": \"twice\", \"version\": \"{version}\" }}\n"),
        );
        lab.write_at_home(&format!("{folder}/index.js"), code);
        lab.write_at_home(&format!("{folder}/lib/deep/more.js"), "exports.more = 1;\n");
    }
    let prepared = lab.outside_of_sandbox(
        "git init -q . && npm pack ../one ../two && npm install --offline --no-audit --no-fund ./twice-1.0.0.tgz",
    );
    assert!(lab.root().join("node_modules/twice/index.js").is_file(), "{prepared}");
    Some(lab)
}

const NODE_CODE: &str = "const { twice } = require('twice');\nexports.double = (n) => twice(n);\n";

#[test]
pub(super) fn npm_test() {
    let Some(lab) = npm_project() else { return };
    let [good, bad] = ["2 * twice(n) / 2", "twice(n) + 1"].map(|text| NODE_CODE.replace("twice(n);", text));
    let tried = stands_by(&lab, "npm test", ("code.js", &good), ("code.js", &bad), "pass 1");
    let Some([warm, broken, _]) = tried else { return };
    assert!(warm.output().contains("cache: warm") && broken.output().contains("cache: cold"), "{warm:?} {broken:?}");
    // What is built at the end of a round is there for the next.
    fs::write(lab.root().join("code.js"), good).expect("a file");
    assert!(lab.end("npm test").output().contains("cache: cold"));
    assert!(lab.end("npm test").output().contains("cache: warm"));
}

/// npm renames the folder of a package that it replaces, which is one of the working tree.
#[test]
fn npm_replaces_a_package_and_installs_anew() {
    let Some(lab) = npm_project() else { return };
    lab.outside_of_sandbox("npm test");
    let version = "node -p \"'it is ' + require('twice/package.json').version\"";
    let replace = format!(
        "npm install --offline --no-audit --no-fund ./twice-2.0.0.tgz && {version} && npm test && ls -A node_modules"
    );
    let anew = format!("npm ci --offline --no-audit --no-fund && {version} && npm test");
    let before = snapshot(&lab.home());
    let replaced = lab.attempt(&replace, &[]);
    if !replaced.is_view() {
        return;
    }
    passes(&replaced, "it is 2.0.0");
    assert!(!replaced.output().contains(".twice-"), "nothing of the old one is left: {replaced:?}");
    passes(&lab.attempt(&anew, &[]), "it is 1.0.0");
    assert_eq!(snapshot(&lab.home()), before, "a try leaves nothing");
    // At the end of a round `node_modules` is the real one.
    passes(&lab.end(&anew), "it is 1.0.0");
    passes(&lab.end(&replace), "it is 2.0.0");
    assert!(lab.text("node_modules/twice/package.json").contains("2.0.0"));
}

/// A page that needs a package which Vite has not bundled yet: it moves the folder of those that it has away by `rename`.
#[test]
fn vite_moves_a_folder_that_is_in_the_working_tree() {
    let (Some(_), Some(vite)) = (tool("node"), vite()) else { return };
    let server = "import { createServer } from 'vite';\n\
                  const server = await createServer({ server: { host: '127.0.0.1', port: 0, watch: null, hmr: false } });\n\
                  await server.listen();\n\
                  const at = `http://127.0.0.1:${server.httpServer.address().port}`;\n\
                  const { depsOptimizer } = server.environments.client;\n\
                  await fetch(`${at}/main.js`);\nawait depsOptimizer.scanProcessing;\n\
                  if (process.argv[2]) await fetch(`${at}/other.js`);\n\
                  const names = () => Object.keys(depsOptimizer.metadata.optimized);\n\
                  const wanted = process.argv[2] ? 'two' : 'one';\n\
                  for (let i = 0; i < 100 && !names().includes(wanted); i++) await new Promise((next) => setTimeout(next, 100));\n\
                  console.log('bundled:', names().sort().join(' '));\nprocess.exit(names().includes(wanted) ? 0 : 1);\n";
    let lab = Lab::new(&format!(
        "//- /package.json\n{{ \"name\": \"page\", \"type\": \"module\" }}\n//- /server.js\n{server}//- /.gitignore\nnode_modules/\n\
         //- /index.html\n<script type=\"module\" src=\"/main.js\"></script>\n//- /main.js\nimport 'one';\n//- /other.js\nimport 'two';\n"
    ));
    for name in ["one", "two"] {
        let package = format!(
            "{{ \"name\": \"{name}\", \"version\": \"1.0.0\", \"type\": \"module\", \"main\": \"index.js\" }}\n"
        );
        lab.write(&format!("node_modules/{name}/package.json"), package);
        lab.write(&format!("node_modules/{name}/index.js"), "export const value = 1;\n");
    }
    std::os::unix::fs::symlink(vite, lab.root().join("node_modules/vite")).expect("a link");
    let prepared = lab.outside_of_sandbox("git init -q . && node server.js");
    assert!(prepared.contains("bundled: one\n"), "{prepared}");
    let before = snapshot(&lab.home());
    let tried = lab.attempt("node server.js other", &[]);
    if !tried.is_view() {
        return;
    }
    // A kernel may know how to move it; this one or not, nobody is left to guess.
    assert!(tried.ended() == "exited 0" || tried.hints().contains("cannot be renamed in a view (EXDEV)"), "{tried:?}");
    assert!(tried.ended() == "exited 0" || tried.output().contains("EXDEV"), "{tried:?}");
    assert_eq!(snapshot(&lab.home()), before, "a try leaves nothing");
    // At the end of a round `node_modules` is the real one, where Vite's cache stays.
    passes(&lab.end("node server.js other"), "bundled: one two");
    assert!(lab.root().join("node_modules/.vite/deps/two.js").is_file());
}

const PYTHON_CODE: &str = "def double(n):\n    return n * 2\n";

/// A project with a virtual environment of its own.
#[test]
pub(super) fn pytest() {
    let Some(python) = pytest_python() else { return };
    let test = "from code_under_test import double\n\ndef test_doubles(tmp_path):\n    (tmp_path / 'x').write_text('x')\n    assert double(2) == 4\n";
    let lab = Lab::new(&format!(
        "//- /code_under_test.py\n{PYTHON_CODE}//- /test_code.py\n{test}//- /.gitignore\n.venv/\n__pycache__/\n.pytest_cache/\n"
    ));
    let made = lab.outside_of_sandbox(&format!(
        "git init -q . && {python} -m venv --without-pip .venv && {python} -c 'import sysconfig as s; print(s.get_path(\"purelib\"))' \
         > $(echo .venv/lib/python*/site-packages)/packages.pth",
        python = python.display()
    ));
    assert_eq!(made, "");
    let [good, bad] = ["n + n", "n * 3 + 0"].map(|text| PYTHON_CODE.replace("n * 2", text));
    // What failed last is kept in a cache, and each module as it was compiled.
    let command = ".venv/bin/python -m pytest -v --last-failed";
    let tried = stands_by(&lab, command, ("code_under_test.py", &good), ("code_under_test.py", &bad), "1 passed");
    let Some([warm, ..]) = tried else { return };
    assert!(warm.output().contains("run-last-failure: no previously failed tests"), "{warm:?}");
    fs::write(lab.root().join("code_under_test.py"), bad).expect("a file");
    assert!(lab.end(command).output().contains("1 failed"));
    fs::write(lab.root().join("code_under_test.py"), good).expect("a file");
    let second = lab.end(command);
    passes(&second, "run-last-failure: rerun previous 1 failure");
    // Python says of each module what it was read from.
    let import = ".venv/bin/python -v -c 'import code_under_test' 2>&1 | grep code_under_test";
    passes(&lab.end(import), "created '");
    passes(&lab.end(import), "code object from '");
}

#[test]
pub(super) fn python_unittest() {
    let Some(python) = python() else {
        skip("python3 is not there");
        return;
    };
    let test = "import unittest\nfrom code_under_test import double\n\nclass Doubles(unittest.TestCase):\n    def test(self):\n        self.assertEqual(double(2), 4)\n";
    let lab = Lab::new(&format!("//- /code_under_test.py\n{PYTHON_CODE}//- /test_code.py\n{test}"));
    let [good, bad] = ["n + n", "n * 3 + 0"].map(|text| PYTHON_CODE.replace("n * 2", text));
    stands_by(
        &lab,
        &format!("{python} -m unittest"),
        ("code_under_test.py", &good),
        ("code_under_test.py", &bad),
        "OK",
    );
}

/// A module with a dependency, and the caches of Go where they usually are: in the home folder.
#[test]
pub(super) fn go_test() {
    let (Some(go), Some(python)) = (go(), python()) else { return };
    let code = "package small\n\nimport \"example.com/twice\"\n\nfunc Double(n int) int { return twice.Twice(n) }\n";
    let test = "package small\n\nimport \"testing\"\n\nfunc TestDoubles(t *testing.T) {\n\tif Double(2) != 4 {\n\t\tt.Fatal(Double(2))\n\t}\n}\n";
    let module = "module small\n\ngo 1.20\n\nrequire example.com/twice v1.0.0\n";
    let lab = Lab::new(&format!("//- /go.mod\n{module}//- /small.go\n{code}//- /small_test.go\n{test}"));
    let home = lab.home();
    let lab = lab
        .with("GOCACHE", home.join(".cache/go-build"))
        .with("GOPROXY", format!("file://{}", home.join("proxy").display()))
        .with("GONOSUMDB", "example.com")
        .with("GOFLAGS", "-mod=mod")
        .with("GOTOOLCHAIN", "local");
    // A module as a proxy keeps it.
    let version = "proxy/example.com/twice/@v/v1.0.0";
    lab.write_at_home(&format!("{version}.info"), "{\"Version\":\"v1.0.0\"}\n");
    lab.write_at_home(&format!("{version}.mod"), "module example.com/twice\n");
    let zip = format!(
        "import os, zipfile\nwith zipfile.ZipFile(os.path.expanduser('~/{version}.zip'), 'w') as z:\n\
         \tz.writestr('example.com/twice@v1.0.0/go.mod', 'module example.com/twice\\n')\n\
         \tz.writestr('example.com/twice@v1.0.0/twice.go', 'package twice\\n\\nfunc Twice(n int) int {{ return n * 2 }}\\n')\n"
    );
    lab.write_at_home("zip.py", &zip);
    assert_eq!(lab.outside_of_sandbox(&format!("git init -q . && {python} ~/zip.py")), "");
    let [good, bad] = ["n) + 0", "n) + 1"].map(|text| code.replace("n) }", &format!("{text} }}")));
    let command = format!("{} test ./...", go.display());
    let tried = stands_by(&lab, &command, ("small.go", &good), ("small.go", &bad), "ok  \tsmall");
    // Go makes the folders of modules read-only, and so hard to remove.
    let clean = || lab.outside_of_sandbox(&format!("{} clean -modcache", go.display()));
    let Some([warm, ..]) = tried else {
        clean();
        return;
    };
    assert!(warm.output().contains("(cached)"), "a warm cache is used: {warm:?}");
    let ends = [lab.end(&command), lab.end(&command)];
    clean();
    assert!(ends.iter().all(|end| end.output().contains("(cached)")), "{ends:?}");
}

#[test]
pub(super) fn make_check() {
    if tool("make").is_none() || tool("cc").is_none() {
        return;
    }
    let code = "int twice(int n) { return n * 2; }\n";
    let main = "int twice(int n);\nint main(void) { return twice(2) == 4 ? 0 : 1; }\n";
    let makefile = "check: prog\n\t./prog\n\t@echo fine\nprog: main.c twice.c\n\tcc -o $@ main.c twice.c\n";
    let lab =
        Lab::new(&format!("//- /Makefile\n{makefile}//- /main.c\n{main}//- /twice.c\n{code}//- /.gitignore\nprog\n"));
    let [good, bad] = ["n + n", "n * 3"].map(|text| code.replace("n * 2", text));
    stands_by(&lab, "make check", ("twice.c", &good), ("twice.c", &bad), "fine");
}

/// What tests do with the machine they run on.
#[test]
pub(super) fn what_tests_do_with_a_machine() {
    let Some(python) = python() else {
        skip("python3 is not there");
        return;
    };
    let lab = Lab::new("//- /a.txt\nx\n");
    let program = r"
import fcntl, mmap, multiprocessing, os, pty, shutil, socket, subprocess, tempfile, threading

def loopback(family, host):
    server = socket.socket(family, socket.SOCK_STREAM)
    server.bind((host, 0))
    server.listen()
    threading.Thread(target=lambda: server.accept()[0].sendall(b'hello'), daemon=True).start()
    client = socket.create_connection((host, server.getsockname()[1]), 5)
    assert client.recv(5) == b'hello'

def unix(path):
    server = socket.socket(socket.AF_UNIX)
    server.bind(path)
    server.listen()
    client = socket.socket(socket.AF_UNIX)
    client.connect(path)

loopback(socket.AF_INET, '127.0.0.1')
loopback(socket.AF_INET, 'localhost')
if socket.has_ipv6 and os.path.exists('/proc/net/if_inet6') and open('/proc/net/if_inet6').read():
    loopback(socket.AF_INET6, '::1')
unix('/tmp/own.sock')
unix('own.sock')
unix('\0own')
with tempfile.TemporaryDirectory() as folder:
    assert folder.startswith('/tmp/'), folder
    open(os.path.join(folder, 'x'), 'w').write('x')
    os.mkfifo(os.path.join(folder, 'fifo'))
with open('locked', 'w') as file:
    fcntl.flock(file, fcntl.LOCK_EX)
    file.write('x' * 4096)
with open('locked', 'r+b') as file:
    mmap.mmap(file.fileno(), 0)[0] = 121
shared = multiprocessing.Value('i', 0)
process = multiprocessing.Process(target=lambda: None)
process.start(); process.join()
pty.openpty()
os.makedirs('deep/er'); shutil.rmtree('deep')
os.symlink('a.txt', 'link'); os.link('a.txt', 'hard')
assert subprocess.run(['sh', '-c', 'echo $HOME'], capture_output=True, text=True).stdout.strip() == os.environ['HOME']
open(os.path.expanduser('~/written'), 'w').write('x')
open('/dev/null', 'w').write('x'); open('/dev/urandom', 'rb').read(8); open('/dev/shm/x', 'w').write('x')
if 'XDG_RUNTIME_DIR' in os.environ:
    open(os.path.join(os.environ['XDG_RUNTIME_DIR'], 'x'), 'w').write('x')
print('all of it')
";
    lab.write("tests.py", program);
    for ran in [lab.attempt(&format!("{python} tests.py"), &[]), lab.end(&format!("{python} tests.py"))] {
        if !ran.is_view() {
            return;
        }
        passes(&ran, "all of it");
    }
}

#[test]
pub(super) fn git_in_tests() {
    let lab = Lab::new("//- /a.txt\nx\n//- /deep/b.txt\ny\n");
    let identity = "-c user.email=a@b -c user.name=a";
    lab.outside_of_sandbox(&format!("git init -q . && git add -A && git {identity} commit -qm start"));
    let head = lab.outside_of_sandbox("git rev-parse HEAD");
    let command = format!(
        "set -e; git status --short; echo z > new.txt; git add -A; git {identity} commit -qm more; git log --oneline | wc -l; \
         d=$(mktemp -d); git init -q $d; cd $d; echo x > x; git add x; git {identity} commit -qm x; git status"
    );
    for ran in [lab.attempt(&command, &[]), lab.end(&command)] {
        if !ran.is_view() {
            return;
        }
        assert_eq!(ran.ended(), "exited 0", "{ran:?}");
        assert!(ran.output().starts_with("2\n") && ran.output().contains("nothing to commit"), "{ran:?}");
    }
    assert_eq!(lab.outside_of_sandbox("git rev-parse HEAD"), head);
    // A workspace below its repository.
    let mut job = lab.job("git rev-parse --show-prefix; git status --short");
    job["workspace"] = lab.root().join("deep").to_str().expect("UTF-8").into();
    let ran = lab.run(&job);
    assert_eq!((ran.ended(), ran.output().lines().next()), ("exited 0", Some("deep/")), "{ran:?}");
}
