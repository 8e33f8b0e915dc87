#![cfg(unix)]

use std::os::unix::fs::symlink;

use tempfile::TempDir;

use super::*;

struct Case {
    folder: TempDir,
    places: Places,
}

/// A home folder with these files, and a workspace `home/work` in it.
fn case(files: &[&str]) -> Case {
    let folder = tempfile::tempdir().expect("a folder");
    let home = folder.path().canonicalize().expect("a real path").join("home");
    fs::create_dir_all(home.join("work")).expect("folders");
    for file in files {
        write(&home.join(file), "x = a-value-of-some-length\n");
    }
    let places = Places { workspace: home.join("work"), homes: vec![home], ..Places::default() };
    Case { folder, places }
}

fn write(path: &Path, text: &str) {
    fs::create_dir_all(path.parent().expect("a parent")).expect("folders");
    fs::write(path, text).expect("a file");
}

fn all(places: &Places) -> Found {
    find(places, &at_home(places), &mut Listings::default())
}

impl Case {
    fn home(&self) -> PathBuf {
        self.places.homes[0].clone()
    }

    /// What is hidden, as paths from the home folder; folders end in `/`.
    fn hidden(&self) -> Vec<String> {
        let found = all(&self.places);
        let shown = |hidden: &Hidden| {
            let path = hidden.path.strip_prefix(self.home()).unwrap_or(&hidden.path).to_string_lossy().into_owned();
            if hidden.is_folder { format!("{path}/") } else { path }
        };
        found.hidden.iter().map(shown).collect()
    }
}

#[test]
fn secrets_of_the_workspace_are_found_by_their_names() {
    let case = case(&[
        "work/.env",
        "work/.env.local",
        "work/.env.example",
        "work/deep/er/server.key",
        "work/deep/er/server.rs",
        "work/config/secrets/db.txt",
        "work/src/secrets/mod.rs",
        "work/.npmrc",
        "work/.aws/config",
        "work/src/main.rs",
        "work/ID_RSA",
    ]);
    assert_eq!(
        case.hidden(),
        [
            "work/.aws/",
            "work/.env",
            "work/.env.local",
            "work/.npmrc",
            "work/ID_RSA",
            "work/config/secrets/db.txt",
            "work/deep/er/server.key",
        ]
    );
}

#[test]
fn secrets_of_the_home_folder_are_found_at_known_places_and_in_other_projects() {
    let case = case(&[
        ".ssh/id_ed25519",
        ".aws/credentials",
        ".config/gh/hosts.yml",
        ".docker/config.json",
        ".docker/cli-plugins/x",
        ".cargo/credentials.toml",
        ".cargo/config.toml",
        ".m2/settings.xml",
        ".m2/repository/x.pem",
        ".gitconfig",
        ".netrc",
        "other/project/.env",
        "other/project/main.py",
        "notes.txt",
    ]);
    assert_eq!(
        case.hidden(),
        [
            ".aws/",
            ".cargo/credentials.toml",
            ".config/gh/",
            ".docker/config.json",
            ".m2/settings.xml",
            ".netrc",
            ".ssh/",
            "other/project/.env",
        ]
    );
}

const CERTIFICATE: &str = "-----BEGIN CERTIFICATE-----\nMIIB\n-----END CERTIFICATE-----\n";

/// Builds read certificates and test keys of packages; these are published.
#[test]
fn caches_of_the_home_and_public_certificates_stay() {
    let case = case(&[
        ".cargo/registry/src/index/rustls/test/server.pem",
        ".npm/_cacache/x.key",
        ".cache/pip/cacert.pem",
        "go/pkg/mod/x/testdata/key.pem",
        "other/node_modules/pkg/test/key.pem",
        "work/node_modules/pkg/index.js",
        "work/.env/pyvenv.cfg",
        "work/.env/lib/x.py",
        "work/target/CACHEDIR.TAG",
        "work/target/debug/app",
    ]);
    let work = &case.places.workspace;
    fs::create_dir_all(work.join(".env/bin")).expect("a folder");
    symlink("/usr/bin/python3", work.join(".env/bin/python")).expect("a link");
    write(&work.join(".venv/lib/python3/site-packages/certifi/cacert.pem"), CERTIFICATE);
    write(&work.join(".env/share/cacert.pem"), CERTIFICATE);
    assert_eq!(case.hidden(), Vec::<String>::new());
}

/// An agent can write `modules.txt`, but that makes no secret readable.
#[test]
fn secret_names_of_the_workspace_are_judged_in_published_folders_too() {
    let case = case(&[
        "work/conf/modules.txt",
        "work/conf/.env",
        "work/conf/deep/id_rsa",
        "work/.aws/CACHEDIR.TAG",
        "work/.aws/credentials",
        "work/.env/pyvenv.cfg",
        "work/.env/production",
        "work/node_modules/pkg/.env",
        "work/node_modules/pkg/test/key.pem",
        "work/lib/__pycache__/.netrc",
        "work/target/CACHEDIR.TAG",
        "work/target/debug/out/server.key",
    ]);
    write(&case.places.workspace.join("venv/pyvenv.cfg"), "");
    write(&case.places.workspace.join("venv/both.pem"), &format!("{CERTIFICATE}-----BEGIN PRIVATE KEY-----\n"));
    assert_eq!(
        case.hidden(),
        [
            "work/.aws/",
            "work/.env/",
            "work/conf/.env",
            "work/conf/deep/id_rsa",
            "work/lib/__pycache__/.netrc",
            "work/node_modules/pkg/.env",
            "work/node_modules/pkg/test/key.pem",
            "work/target/debug/out/server.key",
            "work/venv/both.pem",
        ]
    );
}

/// What is hidden of the workspace where only so many entries are visited, without `work/`.
fn hidden_within(case: &Case, entries: usize) -> Vec<String> {
    let mut search = Search::default();
    search.walk_workspace(&case.places.workspace, Bounds { entries, time: Duration::from_secs(60) });
    let root = &case.places.workspace;
    let paths = search.finish().hidden.into_iter().map(|hidden| hidden.path);
    paths.map(|path| path.strip_prefix(root).expect("in the workspace").to_string_lossy().into_owned()).collect()
}

#[test]
fn what_is_ignored_is_looked_through_last_and_takes_nothing_from_the_rest() {
    let case = case(&["work/zz/deep/.env", "work/a/node_modules/x/.env"]);
    for at in 0..50 {
        write(&case.places.workspace.join(format!("target/{at}/file")), "x");
    }
    write(&case.places.workspace.join(".gitignore"), "target/\n");
    assert_eq!(hidden_within(&case, 1_000), ["a/node_modules/x/.env", "zz/deep/.env"]);
    assert_eq!(hidden_within(&case, 20), ["a/node_modules", "target", "zz/deep/.env"]);
}

#[test]
fn what_was_not_looked_through_is_hidden_as_a_whole() {
    let case = case(&["work/zz/deep/.env", "work/.netrc"]);
    for at in 0..300 {
        write(&case.places.workspace.join(format!("many/{at}/x/file")), "x");
    }
    let hidden = hidden_within(&case, 1);
    assert_eq!(hidden, [".netrc", "many", "zz"], "the root is looked through in any case");
    let hidden = hidden_within(&case, 310);
    assert!(hidden.contains(&"many".to_owned()), "more than can be hidden one by one: {hidden:?}");
    assert!(hidden.iter().any(|path| "zz/deep/.env".starts_with(path.as_str())), "{hidden:?}");
}

#[test]
fn a_folder_that_cannot_be_read_yet_is_hidden() {
    use std::os::unix::fs::PermissionsExt;
    let case = case(&["work/closed/deep/.env"]);
    let closed = case.places.workspace.join("closed");
    fs::set_permissions(&closed, fs::Permissions::from_mode(0o300)).expect("permissions");
    let is_root = fs::read_dir(&closed).is_ok();
    let hidden = case.hidden();
    fs::set_permissions(&closed, fs::Permissions::from_mode(0o700)).expect("permissions");
    assert_eq!(hidden, [if is_root { "work/closed/deep/.env" } else { "work/closed/" }]);
}

#[test]
fn secrets_of_a_folder_that_was_put_elsewhere_are_hidden() {
    let mut case = case(&["elsewhere/credentials.toml", "elsewhere/config.toml", "elsewhere/bin/tool"]);
    case.places.named = relocated("CARGO_HOME", &case.home().join("elsewhere"));
    assert_eq!(case.hidden(), ["elsewhere/credentials.toml"]);
    assert_eq!(relocated("RUSTUP_HOME", Path::new("/x")), Vec::<PathBuf>::new());
    for (_, usual) in table::RELOCATED {
        let holds = |path: &&str| Path::new(path).starts_with(usual);
        assert!(AT_HOME.iter().flat_map(|row| row.paths).any(holds), "{usual} holds nothing");
    }
}

#[test]
fn other_names_of_a_secret_are_found() {
    let case = case(&["work/.env", "outside/keys/plain.txt", ".ssh/id_rsa"]);
    let work = case.places.workspace.clone();
    fs::hard_link(work.join(".env"), work.join("settings.txt")).expect("a hard link");
    symlink(case.home().join("outside/keys/plain.txt"), work.join("deploy.pem")).expect("a link");
    symlink(case.home().join(".ssh"), work.join("link")).expect("a link");
    symlink("/nowhere/at/all", work.join("id_rsa")).expect("a link");
    assert_eq!(case.hidden(), [".ssh/", "outside/keys/plain.txt", "work/.env", "work/settings.txt"]);
}

#[test]
fn a_service_accounts_key_is_found_by_its_content() {
    let case = case(&["work/package.json"]);
    write(&case.places.workspace.join("fixtures/innocent.json"), r#"{"type": "service_account", "private_key": "x"}"#);
    assert_eq!(case.hidden(), ["work/fixtures/innocent.json"]);
}

#[test]
fn names_that_no_plan_could_have_are_judged_as_well() {
    use std::os::unix::ffi::OsStrExt;
    let case = case(&["work/a:b/.env", "work/trailing. "]);
    let name = OsStr::from_bytes(b"\xff.pem");
    fs::write(case.places.workspace.join(name), "x").expect("a file");
    let hidden = case.hidden();
    assert_eq!(hidden.len(), 2, "{hidden:?}");
    assert!(hidden.contains(&"work/a:b/.env".to_owned()));
}

#[test]
fn batons_own_files_stay_hidden_from_a_check_that_may_read_secrets() {
    let mut case = case(&["state/baton/key", "work/.agent_memory/runs/x", "work/.env", "kube/config"]);
    case.places.own = vec![case.home().join("state/baton"), case.home().join("work/.agent_memory"), "/nowhere".into()];
    case.places.named = vec![case.home().join("kube/config")];
    assert_eq!(case.hidden(), ["kube/config", "state/baton/", "work/.agent_memory/", "work/.env"]);
    let found = all(&case.places);
    let shown: Vec<bool> = found.for_check(true).map(|hidden| hidden.is_secret).collect();
    assert_eq!(shown, [false, false]);
    assert_eq!(found.in_workspace(&case.places.workspace), [".env"]);
}

#[test]
fn sockets_and_fifos_are_found() {
    let case = case(&["work/file"]);
    let socket = case.places.workspace.join("service.sock");
    let _listener = std::os::unix::net::UnixListener::bind(&socket).expect("a socket");
    let fifo = case.home().join("pipe");
    let mode = rustix::fs::Mode::from_raw_mode(0o600);
    rustix::fs::mknodat(rustix::fs::CWD, &fifo, rustix::fs::FileType::Fifo, mode, 0).expect("a FIFO");
    assert_eq!(all(&case.places).special, [fifo, socket]);
}

#[test]
fn a_home_that_is_the_root_of_all_is_not_looked_through() {
    let case = case(&["work/.env"]);
    let places = Places { homes: vec!["/".into(), "/nowhere".into()], ..case.places.clone() };
    let found = all(&places);
    assert!(found.cut.is_empty());
    assert!(
        found.hidden.iter().all(|hidden| hidden.path.starts_with(case.folder.path().canonicalize().expect("real")))
    );
}

#[test]
fn the_values_of_secret_files_are_known() {
    let case = case(&[]);
    let work = &case.places.workspace;
    write(&work.join(".env"), "# comment\nexport A=value-of-a\nB='quoted value'\nSHORT=abc\nHOST=localhost\n");
    write(&work.join(".pgpass"), "db:5432:main:me:pg-password\n");
    write(&work.join("secrets.json"), "{\n  \"token\": \"json-value-1\",\n  \"n\": 1\n}\n");
    write(&work.join(".netrc"), "machine host login me password netrc-pass\n");
    write(&work.join("id_rsa"), "-----BEGIN OPENSSH PRIVATE KEY-----\nb3BlbnNzaC1rZXktdjEAAAA=\n");
    write(&work.join(".git-credentials"), "https://me:cred-password@host.example\n");
    let values = all(&case.places).values();
    for value in [
        "value-of-a",
        "quoted value",
        "pg-password",
        "json-value-1",
        "netrc-pass",
        "b3BlbnNzaC1rZXktdjEAAAA=",
        "cred-password",
    ] {
        assert!(values.contains(&value.to_owned()), "{value}: {values:?}");
    }
    assert!(!values.iter().any(|value| value == "abc" || value == "localhost"), "{values:?}");
}

#[test]
fn programs_that_keep_keys_and_logins_in_the_home_are_known() {
    let files = [
        ".ICEauthority",
        ".config/1Password/data",
        ".config/filezilla/sitemanager.xml",
        ".config/ngrok/ngrok.yml",
        ".config/op/config",
        ".config/solana/id.json",
        ".config/stripe/config.toml",
        ".config/wandb/settings",
        ".electrum/wallets/default",
        ".ethereum/keystore/key",
        ".pnpmrc",
        ".purple/accounts.xml",
        ".subversion/auth/svn.simple/a",
        ".subversion/config",
        ".viminfo",
    ];
    let case = case(&files);
    let hidden = case.hidden();
    for file in files.iter().filter(|file| **file != ".subversion/config") {
        let is_hidden = |path: &String| path == file || path.ends_with('/') && file.starts_with(path.as_str());
        assert!(hidden.iter().any(is_hidden), "{file}: {hidden:?}");
    }
    assert!(!hidden.iter().any(|path| path == ".subversion/"), "its settings are needed: {hidden:?}");
}

#[test]
fn the_users_home_is_read_from_the_list_of_users() {
    let passwd = "root:x:0:0:root:/root:/bin/bash\nme:x:1000:1000:Me,,,:/home/me:/bin/sh\nodd:x:7:7::none:\nbroken\n";
    assert_eq!(home_in(passwd, 1000), Some("/home/me".into()));
    assert_eq!(home_in(passwd, 7), None);
    assert_eq!(home_in(passwd, 8), None);
}

#[test]
fn every_row_has_paths_a_reason_and_a_source() {
    for row in AT_HOME {
        assert!(!row.paths.is_empty() && !row.why.is_empty() && !row.source.is_empty());
        assert!(row.paths.iter().all(|path| !path.starts_with('/') && !path.ends_with('/')));
    }
}
