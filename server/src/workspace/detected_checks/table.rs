//! THE TABLE: kinds of projects, the files that mark them, and the commands they are checked by.

use super::found::Found;
use super::project::Project;
use super::{javascript, python};

/// A kind of project.
pub(super) struct Row {
    /// A word for it, in front of the name of a check whose name is taken.
    pub(super) kind: &'static str,
    /// Files of the root of which one must be there; `*.sln` is an ending.
    marks: &'static [&'static str],
    finds: Finds,
}

enum Finds {
    /// This command, as the check `test`.
    Test(&'static str),
    /// This command, as the check `test`, where a file or a folder shows that there are tests.
    TestIf(&'static str, fn(&Project<'_>, &str) -> bool),
    /// What this finds; it is given the mark.
    By(fn(&Project<'_>, &str) -> Vec<Found>),
}

impl Row {
    pub(super) fn find(&self, project: &Project<'_>) -> Vec<Found> {
        let Some(mark) = project.first(self.marks) else { return Vec::new() };
        match self.finds {
            Finds::Test(command) => vec![Found::test(command, mark)],
            Finds::TestIf(command, has_tests) if has_tests(project, mark) => vec![Found::test(command, mark)],
            Finds::TestIf(..) => Vec::new(),
            Finds::By(find) => find(project, mark),
        }
    }
}

use Finds::{By, Test, TestIf};

const fn row(kind: &'static str, marks: &'static [&'static str], finds: Finds) -> Row {
    Row { kind, marks, finds }
}

/// Languages and their build tools.
pub(super) const LANGUAGES: &[Row] = &[
    row("cargo", &["Cargo.toml"], By(cargo)),
    row("go", &["go.mod"], Test("go test ./...")),
    row("js", &["package.json"], By(javascript::scripts)),
    row("deno", &["deno.json", "deno.jsonc"], By(javascript::deno)),
    row(
        "python",
        &[
            "pyproject.toml",
            "setup.py",
            "setup.cfg",
            "tox.ini",
            "tox.toml",
            "noxfile.py",
            "pytest.ini",
            ".pytest.ini",
            "conftest.py",
            "requirements.txt",
            "Pipfile",
            "manage.py",
        ],
        By(python::python),
    ),
    row("maven", &["pom.xml"], By(maven)),
    row("gradle", &["build.gradle", "build.gradle.kts", "settings.gradle", "settings.gradle.kts"], By(gradle)),
    row("sbt", &["build.sbt"], Test("sbt test")),
    row("lein", &["project.clj"], Test("lein test")),
    row("dotnet", &["*.sln", "*.slnx", "*.csproj", "*.fsproj", "*.vbproj"], TestIf("dotnet test", is_one_dotnet)),
    row("cmake", &["CMakeLists.txt"], TestIf(CTEST, has_ctest)),
    row(
        "meson",
        &["meson.build"],
        TestIf("{ [ -d build ] || meson setup build; } && meson test -C build", |project, mark| {
            project.has_line(mark, "test(") || project.has_line(mark, "subdir('test")
        }),
    ),
    row("bazel", &["MODULE.bazel", "WORKSPACE", "WORKSPACE.bazel"], Test("bazel test //...")),
    row("mix", &["mix.exs"], Test("mix test")),
    row("rebar", &["rebar.config"], Test("rebar3 eunit")),
    row("gleam", &["gleam.toml"], Test("gleam test")),
    row("ruby", &["Gemfile", "*.gemspec", "Rakefile", ".rspec"], By(ruby)),
    row("php", &["composer.json"], By(javascript::php)),
    row("swift", &["Package.swift"], TestIf("swift test", |project, _| project.has_folder("Tests"))),
    row("zig", &["build.zig"], TestIf("zig build test", |project, mark| project.text(mark).contains("\"test\""))),
    row("dart", &["pubspec.yaml"], By(dart)),
    row("stack", &["stack.yaml"], Test("stack test")),
    row("cabal", &["cabal.project", "*.cabal"], TestIf("cabal test all", |project, _| !project.has("stack.yaml"))),
    row("dune", &["dune-project"], Test("dune test")),
    row(
        "julia",
        &["Project.toml"],
        TestIf("julia --project -e 'using Pkg; Pkg.test()'", |project, _| {
            project.has_file_in("test", |name| name == "runtests.jl")
        }),
    ),
    row("crystal", &["shard.yml"], TestIf("crystal spec", |project, _| project.has_folder("spec"))),
    row("nimble", &["*.nimble"], Test("nimble test")),
    row("lua", &[".busted"], Test("busted")),
    row(
        "perl",
        &["Makefile.PL", "Build.PL", "cpanfile", "dist.ini"],
        TestIf("prove -lr t", |project, _| project.has_file_in("t", |name| name.ends_with(".t"))),
    ),
];

/// Task runners: what they run is mostly what the language's own tool would, so they are asked where no language is found.
pub(super) const RUNNERS: &[Row] = &[
    row("just", &["justfile", "Justfile", ".justfile"], By(just)),
    row("task", &["Taskfile.yml", "Taskfile.yaml", "Taskfile.dist.yml"], By(taskfile)),
    row("make", &["GNUmakefile", "makefile", "Makefile"], By(make)),
];

const CTEST: &str = "cmake -S . -B build && cmake --build build && ctest --test-dir build --output-on-failure";

/// With a package in its root, a workspace is tested whole only when that is said.
fn cargo(project: &Project<'_>, mark: &str) -> Vec<Found> {
    let is_both = project.has_line(mark, "[workspace") && project.has_line(mark, "[package");
    vec![Found::test(if is_both { "cargo test --workspace" } else { "cargo test" }, mark)]
}

fn maven(project: &Project<'_>, mark: &str) -> Vec<Found> {
    let maven = if project.has("mvnw") { "./mvnw" } else { "mvn" };
    vec![Found::test(format!("{maven} --batch-mode test"), mark)]
}

fn gradle(project: &Project<'_>, mark: &str) -> Vec<Found> {
    let gradle = if project.has("gradlew") { "./gradlew" } else { "gradle" };
    vec![Found::test(format!("{gradle} test"), mark)]
}

/// `dotnet test` takes the one solution of the folder, else its one project, and refuses more.
fn is_one_dotnet(project: &Project<'_>, _: &str) -> bool {
    let count = |endings: &[&str]| endings.iter().map(|ending| project.ending(ending).count()).sum::<usize>();
    let (solutions, projects) = (count(&[".sln", ".slnx"]), count(&[".csproj", ".fsproj", ".vbproj"]));
    solutions + projects == 1
}

fn has_ctest(project: &Project<'_>, mark: &str) -> bool {
    let text = project.text(mark).to_lowercase();
    text.contains("enable_testing(") || text.replace(' ', "").contains("include(ctest)")
}

/// RSpec, Rails' own tests, else a task of Rake.
fn ruby(project: &Project<'_>, _: &str) -> Vec<Found> {
    let bundle = if project.has("Gemfile") { "bundle exec " } else { "" };
    let is_spec = |name: &str| name.ends_with("_spec.rb") || name.ends_with("_helper.rb");
    if project.has(".rspec") || project.has_file_in("spec", is_spec) {
        let source = if project.has(".rspec") { ".rspec" } else { "spec" };
        return vec![Found::test(format!("{bundle}rspec"), source)];
    }
    if project.has_file_in("bin", |name| name == "rails") && project.has_folder("test") {
        return vec![Found::test("bin/rails test", "bin/rails")];
    }
    let rakefile = project.text("Rakefile");
    let has_task = ["TestTask", "task :test", "task test:", "task \"test\"", "task 'test'"];
    if has_task.iter().any(|task| rakefile.contains(task)) {
        return vec![Found::test(format!("{bundle}rake test"), "Rakefile")];
    }
    Vec::new()
}

fn dart(project: &Project<'_>, mark: &str) -> Vec<Found> {
    if !project.has_folder("test") {
        return Vec::new();
    }
    let is_flutter = project.has_line(mark, "sdk: flutter");
    vec![Found::test(if is_flutter { "flutter test" } else { "dart test" }, mark)]
}

fn just(project: &Project<'_>, mark: &str) -> Vec<Found> {
    let text = project.text(mark);
    target("just", mark, |name| {
        // Parameters without a default would be asked for.
        text.lines().any(|line| {
            let rest = line.trim_start_matches('@').strip_prefix(name);
            rest.is_some_and(|rest| rest.starts_with(':') && !rest.starts_with(":="))
        })
    })
}

fn make(project: &Project<'_>, mark: &str) -> Vec<Found> {
    let text = project.text(mark);
    target("make", mark, |name| {
        text.lines().any(|line| match line.split_once(':') {
            // `test := x` sets a variable.
            Some((targets, rest)) => {
                !line.starts_with(['\t', '#', '.'])
                    && !rest.starts_with('=')
                    && targets.split_whitespace().any(|t| t == name)
            }
            None => false,
        })
    })
}

fn taskfile(project: &Project<'_>, mark: &str) -> Vec<Found> {
    let text = project.text(mark);
    let tasks = text.lines().skip_while(|line| !line.starts_with("tasks:"));
    let names: Vec<&str> =
        tasks.filter(|line| line.starts_with("  ") && !line.starts_with("   ")).map(str::trim).collect();
    target("task", mark, |name| names.iter().any(|line| line.strip_suffix(':') == Some(name)))
}

/// The target `test`, else `check`.
fn target(runner: &str, mark: &str, has: impl Fn(&str) -> bool) -> Vec<Found> {
    let found = ["test", "check"].into_iter().find(|name| has(name));
    found.map(|name| Found::test(format!("{runner} {name}"), mark)).into_iter().collect()
}
