//! Python: pytest in the environment that the lock file names, else tox, nox, Django's or the standard library's tests.

use super::found::Found;
use super::project::Project;

/// Where pytest is configured, and the line that says so; `None`: the file alone does.
const PYTEST: [(&str, Option<&str>); 6] = [
    ("pytest.ini", None),
    (".pytest.ini", None),
    ("pyproject.toml", Some("[tool.pytest")),
    ("setup.cfg", Some("[tool:pytest]")),
    ("tox.ini", Some("[pytest]")),
    ("conftest.py", None),
];

/// What runs a program in the project's own environment, by the file that shows there is one.
const RUNNERS: [(&str, &str); 4] =
    [("uv.lock", "uv"), ("poetry.lock", "poetry"), ("pdm.lock", "pdm"), ("Pipfile.lock", "pipenv")];

pub(super) fn python(project: &Project<'_>, source: &str) -> Vec<Found> {
    let runner = RUNNERS.iter().find(|(lock, runner)| project.has(lock) && project.can_run(runner));
    // A bare interpreter: the environment that a person has activated, else the folder `.venv`.
    let python = match runner {
        Some((_, runner)) => format!("{runner} run python"),
        None if project.has_file_in(".venv", |name| name == "pyvenv.cfg") => ".venv/bin/python".to_owned(),
        None if !project.can_run("python3") && project.can_run("python") => "python".to_owned(),
        None => "python3".to_owned(),
    };
    let pytest = match runner {
        Some((_, runner)) => format!("{runner} run pytest"),
        None => format!("{python} -m pytest"),
    };
    let is_configured = |(file, line): &&(&str, Option<&str>)| {
        project.has(file) && line.is_none_or(|line| project.has_line(file, line))
    };
    if let Some((file, _)) = PYTEST.iter().find(is_configured) {
        return vec![Found::test(pytest, *file)];
    }
    let tox = [("tox.ini", "[tox"), ("tox.toml", ""), ("pyproject.toml", "[tool.tox"), ("setup.cfg", "[tox:tox]")];
    if let Some((file, _)) = tox.iter().find(|(file, line)| project.has(file) && project.has_line(file, line)) {
        return vec![Found::test("tox", *file)];
    }
    if project.has("noxfile.py") {
        return vec![Found::test("nox", "noxfile.py")];
    }
    if project.has("manage.py") {
        return vec![Found::test(format!("{python} manage.py test"), "manage.py")];
    }
    let is_test = |name: &str| name.ends_with(".py") && (name.starts_with("test_") || name.ends_with("_test.py"));
    let Some(folder) = ["tests", "test"].into_iter().find(|folder| project.has_file_in(folder, is_test)) else {
        return Vec::new();
    };
    let names_pytest = |file: &str| project.text(file).to_lowercase().contains("pytest");
    let listed = ["pyproject.toml", "setup.py", "setup.cfg", "requirements.txt", "requirements-dev.txt", "Pipfile"];
    match listed.into_iter().find(|file| project.has(file) && names_pytest(file)) {
        Some(file) => vec![Found::test(pytest, file)],
        None => vec![Found::test(format!("{python} -m unittest discover -s {folder}"), source)],
    }
}
