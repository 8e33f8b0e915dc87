use super::*;
use crate::workspace::fixture::Fixture;

/// What is found in a workspace: `name: command (source)`, a line each.
fn found(text: &str) -> String {
    found_with(text, &|_| true)
}

/// The same where only some programs can be run.
fn found_with(text: &str, has_program: &dyn Fn(&str) -> bool) -> String {
    let fixture = Fixture::new(text);
    let checks = detected_checks(&fixture.workspace(), has_program);
    let line = |check: &DetectedCheck| format!("{}: {} ({})", check.name, check.command, check.source);
    checks.iter().map(line).collect::<Vec<_>>().join("\n")
}

/// A workspace of empty files.
fn files(names: &[&str]) -> String {
    names.iter().map(|name| format!("//- /{name}\n")).collect()
}

#[test]
fn a_command_is_one_that_can_be_run_here() {
    let uv = "//- /pyproject.toml\n[tool.pytest.ini_options]\n//- /uv.lock\n";
    let in_venv = format!("{uv}//- /.venv/pyvenv.cfg\n");
    let pnpm = "//- /package.json\n{\"scripts\": {\"test\": \"vitest run\"}}\n//- /pnpm-lock.yaml\n";
    for (project, programs, expected) in [
        (uv, &["uv", "python3"][..], "uv run pytest"),
        (uv, &["python3", "python"], "python3 -m pytest"),
        (uv, &["python"], "python -m pytest"),
        (uv, &[], "python3 -m pytest"),
        (&in_venv, &["python3"], ".venv/bin/python -m pytest"),
        (pnpm, &["pnpm", "npm"], "pnpm test"),
        (pnpm, &["npm"], "npm test"),
        (pnpm, &[], "pnpm test"),
    ] {
        let found = found_with(project, &|program| programs.contains(&program));
        assert!(found.starts_with(&format!("test: {expected} (")), "{programs:?}: {found}");
    }
}

#[test]
#[expect(clippy::too_many_lines, reason = "a table")]
fn each_kind_of_project_shows_how_it_is_tested() {
    let package = |scripts: &str| format!("//- /package.json\n{{\"scripts\": {{{scripts}}}}}\n");
    let test = "\"test\": \"vitest run\"";
    for (project, expected) in [
        (files(&["Cargo.toml"]), "test: cargo test (Cargo.toml)"),
        ("//- /Cargo.toml\n[workspace]\n[package]\n".to_owned(), "test: cargo test --workspace (Cargo.toml)"),
        ("//- /Cargo.toml\n[workspace]\nmembers = []\n".to_owned(), "test: cargo test (Cargo.toml)"),
        (files(&["go.mod"]), "test: go test ./... (go.mod)"),
        (package(test), "test: npm test (package.json)"),
        (
            package("\"lint\": \"eslint .\", \"build\": \"tsc\", \"type-check\": \"tsc\", \"dev\": \"vite\""),
            "lint: npm run lint (package.json)\ntypecheck: npm run type-check (package.json)\nbuild: npm run build \
             (package.json)",
        ),
        (package("\"test\": \"echo \\\"Error: no test specified\\\" && exit 1\""), ""),
        (package("\"test\": \"jest --watchAll\", \"lint\": \"x\""), "lint: npm run lint (package.json)"),
        (package("\"test\": \"jest --watchAll=false\""), "test: npm test (package.json)"),
        (package("\"test\": \"react-scripts test\""), "test: CI=true npm test (package.json)"),
        (package(test) + &files(&["pnpm-lock.yaml"]), "test: pnpm test (package.json)"),
        (package(test) + &files(&["yarn.lock"]), "test: yarn test (package.json)"),
        (package(test) + &files(&["bun.lock"]), "test: bun run test (package.json)"),
        (
            "//- /package.json\n{\"packageManager\": \"pnpm@9.1.0+sha512.x\", \"scripts\": {\"test\": \"x\"}}\n"
                .to_owned()
                + &files(&["package-lock.json"]),
            "test: pnpm test (package.json)",
        ),
        ("//- /package.json\n{ \"scripts\": [1], ".to_owned(), ""),
        (
            "//- /deno.jsonc\n{ // c\n\"tasks\": { \"test\": \"deno test -A\" } }\n".to_owned(),
            "test: deno task test (deno.jsonc)",
        ),
        (files(&["deno.json"]), "test: deno test (deno.json)"),
        (
            "//- /pyproject.toml\n[tool.pytest.ini_options]\n//- /uv.lock\n".to_owned(),
            "test: uv run pytest (pyproject.toml)",
        ),
        (
            "//- /pyproject.toml\n[tool.pytest.ini_options]\n//- /poetry.lock\n".to_owned(),
            "test: poetry run pytest (pyproject.toml)",
        ),
        (files(&["pytest.ini", "setup.py"]), "test: python3 -m pytest (pytest.ini)"),
        (files(&["conftest.py", ".venv/pyvenv.cfg"]), "test: .venv/bin/python -m pytest (conftest.py)"),
        ("//- /tox.ini\n[tox]\nenvlist = py3\n".to_owned(), "test: tox (tox.ini)"),
        ("//- /tox.ini\n[tox]\n[pytest]\n".to_owned(), "test: python3 -m pytest (tox.ini)"),
        (files(&["noxfile.py", "pyproject.toml"]), "test: nox (noxfile.py)"),
        (files(&["manage.py"]), "test: python3 manage.py test (manage.py)"),
        (
            "//- /requirements.txt\npytest==8\n//- /tests/test_a.py\n".to_owned(),
            "test: python3 -m pytest (requirements.txt)",
        ),
        (files(&["setup.py", "tests/test_a.py"]), "test: python3 -m unittest discover -s tests (setup.py)"),
        (files(&["setup.py", "src/a.py"]), ""),
        (files(&["pom.xml", "mvnw"]), "test: ./mvnw --batch-mode test (pom.xml)"),
        (files(&["pom.xml"]), "test: mvn --batch-mode test (pom.xml)"),
        (files(&["build.gradle.kts", "gradlew"]), "test: ./gradlew test (build.gradle.kts)"),
        (files(&["settings.gradle"]), "test: gradle test (settings.gradle)"),
        (files(&["build.sbt"]), "test: sbt test (build.sbt)"),
        (files(&["project.clj"]), "test: lein test (project.clj)"),
        (files(&["App.sln"]), "test: dotnet test (App.sln)"),
        (files(&["A.csproj"]), "test: dotnet test (A.csproj)"),
        (files(&["A.csproj", "B.csproj"]), ""),
        (
            "//- /CMakeLists.txt\nproject(x)\nENABLE_TESTING()\n".to_owned(),
            "test: cmake -S . -B build && cmake --build build && ctest --test-dir build --output-on-failure \
             (CMakeLists.txt)",
        ),
        (files(&["CMakeLists.txt"]), ""),
        (
            "//- /meson.build\ntest('a', exe)\n".to_owned(),
            "test: { [ -d build ] || meson setup build; } && meson test -C build (meson.build)",
        ),
        (files(&["MODULE.bazel"]), "test: bazel test //... (MODULE.bazel)"),
        (files(&["mix.exs"]), "test: mix test (mix.exs)"),
        (files(&["rebar.config"]), "test: rebar3 eunit (rebar.config)"),
        (files(&["gleam.toml"]), "test: gleam test (gleam.toml)"),
        (files(&["Gemfile", ".rspec"]), "test: bundle exec rspec (.rspec)"),
        (files(&["x.gemspec", "spec/a_spec.rb"]), "test: rspec (spec)"),
        (files(&["Gemfile", "bin/rails", "test/a.rb"]), "test: bin/rails test (bin/rails)"),
        ("//- /Rakefile\nRake::TestTask.new(:test)\n".to_owned(), "test: rake test (Rakefile)"),
        (files(&["Gemfile", "Rakefile"]), ""),
        (
            "//- /composer.json\n{\"scripts\": {\"test\": [\"phpunit\"]}}\n".to_owned(),
            "test: composer test (composer.json)",
        ),
        (files(&["composer.json", "phpunit.xml.dist"]), "test: vendor/bin/phpunit (phpunit.xml.dist)"),
        (files(&["composer.json", "tests/Pest.php"]), "test: vendor/bin/pest (tests/Pest.php)"),
        (files(&["composer.json", "artisan"]), "test: php artisan test (artisan)"),
        (files(&["Package.swift", "Tests/A.swift"]), "test: swift test (Package.swift)"),
        ("//- /build.zig\nb.step(\"test\", \"t\")\n".to_owned(), "test: zig build test (build.zig)"),
        (files(&["pubspec.yaml", "test/a.dart"]), "test: dart test (pubspec.yaml)"),
        ("//- /pubspec.yaml\n    sdk: flutter\n//- /test/a.dart\n".to_owned(), "test: flutter test (pubspec.yaml)"),
        (files(&["stack.yaml", "x.cabal"]), "test: stack test (stack.yaml)"),
        (files(&["x.cabal"]), "test: cabal test all (x.cabal)"),
        (files(&["dune-project"]), "test: dune test (dune-project)"),
        (
            files(&["Project.toml", "test/runtests.jl"]),
            "test: julia --project -e 'using Pkg; Pkg.test()' (Project.toml)",
        ),
        (files(&["shard.yml", "spec/a.cr"]), "test: crystal spec (shard.yml)"),
        (files(&["x.nimble"]), "test: nimble test (x.nimble)"),
        (files(&[".busted"]), "test: busted (.busted)"),
        (files(&["cpanfile", "t/a.t"]), "test: prove -lr t (cpanfile)"),
        ("//- /justfile\ntest:\n    x\n".to_owned(), "test: just test (justfile)"),
        ("//- /justfile\ntest target:\n    x\ntest := 'a'\n".to_owned(), ""),
        ("//- /Taskfile.yml\ntasks:\n  test:\n    cmds: [x]\n".to_owned(), "test: task test (Taskfile.yml)"),
        ("//- /Makefile\n.PHONY: test\nall build:\n\ttest:\n".to_owned(), ""),
        ("//- /Makefile\nall test: build\n".to_owned(), "test: make test (Makefile)"),
        ("//- /Makefile\ntest := a\n# test:\ncheck:\n".to_owned(), "test: make check (Makefile)"),
        (files(&["README.md", "src/main.c"]), ""),
        (files(&["below/Cargo.toml", "apps/web/package.json"]), ""),
    ] {
        assert_eq!(found(&project), expected, "{project}");
    }
}

#[test]
fn two_languages_are_both_found_and_a_task_runner_beside_them_is_not() {
    let both =
        "//- /Cargo.toml\n//- /package.json\n{\"scripts\": {\"test\": \"a\", \"lint\": \"b\"}}\n//- /Makefile\ntest:\n";
    let expected = "test: cargo test (Cargo.toml)\njs-test: npm test (package.json)\nlint: npm run lint (package.json)";
    assert_eq!(found(both), expected);
}

#[cfg(unix)]
#[test]
fn what_stands_in_a_files_place_is_not_followed() {
    let fixture = Fixture::new("//- /real/Cargo.toml\n//- /real/pkg\n{\"scripts\": {\"test\": \"x\"}}\n");
    fixture.link("real/Cargo.toml", "Cargo.toml");
    fixture.link("real/pkg", "package.json");
    std::fs::create_dir(fixture.root().join("go.mod")).unwrap();
    let pipe = fixture.root().join("Makefile");
    rustix::fs::mknodat(rustix::fs::CWD, &pipe, rustix::fs::FileType::Fifo, rustix::fs::Mode::RWXU, 0).unwrap();
    assert_eq!(detected_checks(&fixture.workspace(), &|_| true), []);
}

#[test]
fn a_manifest_that_is_too_large_or_too_deep_is_passed_over() {
    let fixture = Fixture::new("//- /a\n");
    let scripts = "{\"scripts\": {\"test\": \"x\"}}";
    fixture.write("package.json", format!("{scripts}{}", " ".repeat(600_000)).as_bytes());
    assert_eq!(detected_checks(&fixture.workspace(), &|_| true), []);
    fixture.write("package.json", "[".repeat(500_000).as_bytes());
    assert_eq!(detected_checks(&fixture.workspace(), &|_| true), []);
    fixture.write("package.json", scripts.as_bytes());
    assert_eq!(detected_checks(&fixture.workspace(), &|_| true).len(), 1);
}
