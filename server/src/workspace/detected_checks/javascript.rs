//! Scripts of package.json and of composer.json, and Deno's tasks.

use regex::Regex;
use serde_json::Value;

use super::found::Found;
use super::project::Project;

/// Scripts that check a project, with the name of the check. Of those with the same name the first counts.
const SCRIPTS: [(&str, &str); 5] =
    [("test", "test"), ("lint", "lint"), ("typecheck", "typecheck"), ("type-check", "typecheck"), ("build", "build")];

/// Parts of a script that never ends by itself.
const ENDLESS: [&str; 4] = ["--watch ", "--watchAll ", " serve", "ng test"];

/// The scripts of package.json, by the package manager that its `packageManager` or its lock file names.
pub(super) fn scripts(project: &Project<'_>, source: &str) -> Vec<Found> {
    let Ok(package) = serde_json::from_str::<Value>(&project.text(source)) else { return Vec::new() };
    let manager = manager(project, &package);
    let mut found: Vec<Found> = Vec::new();
    for (script, name) in SCRIPTS {
        let Some(text) = package["scripts"][script].as_str() else { continue };
        if is_placeholder(text) || is_endless(text) || found.iter().any(|earlier| earlier.name == name) {
            continue;
        }
        let command = match (manager, script) {
            // `bun test` is its own test runner.
            ("bun", _) => format!("bun run {script}"),
            (manager, "test") => format!("{manager} test"),
            (manager, script) => format!("{manager} run {script}"),
        };
        // It watches files unless it runs in CI.
        let command = if text.contains("react-scripts test") { format!("CI=true {command}") } else { command };
        found.push(Found { name, command, source: source.to_owned() });
    }
    found
}

fn manager(project: &Project<'_>, package: &Value) -> &'static str {
    const LOCKS: [(&str, &str); 6] = [
        ("pnpm-lock.yaml", "pnpm"),
        ("yarn.lock", "yarn"),
        ("bun.lock", "bun"),
        ("bun.lockb", "bun"),
        ("package-lock.json", "npm"),
        ("npm-shrinkwrap.json", "npm"),
    ];
    let named = package["packageManager"].as_str().map(|named| named.split('@').next().unwrap_or_default());
    let known = ["npm", "pnpm", "yarn", "bun"].into_iter().find(|known| named == Some(*known));
    let of_lock = || LOCKS.iter().find(|(lock, _)| project.has(lock)).map(|(_, manager)| *manager);
    let wanted = known.or_else(of_lock).unwrap_or("npm");
    // The scripts are the same, whoever runs them.
    if !project.can_run(wanted) && project.can_run("npm") { "npm" } else { wanted }
}

/// What `npm init` writes where there is no test.
fn is_placeholder(script: &str) -> bool {
    script.trim().is_empty() || script.contains("no test specified")
}

fn is_endless(script: &str) -> bool {
    let script = format!("{script} ");
    ENDLESS.iter().any(|part| script.contains(part))
}

/// The task `test` of deno.json, else Deno's own test runner.
pub(super) fn deno(project: &Project<'_>, source: &str) -> Vec<Found> {
    // A task before it that is a table is not looked past; the runner itself is offered then.
    let has_task =
        Regex::new(r#""tasks"\s*:\s*\{[^{}]*"test"\s*:"#).is_ok_and(|task| task.is_match(&project.text(source)));
    vec![Found::test(if has_task { "deno task test" } else { "deno test" }, source)]
}

/// The script `test` of composer.json, else what Laravel, Pest or PHPUnit are run by.
pub(super) fn php(project: &Project<'_>, source: &str) -> Vec<Found> {
    let package: Value = serde_json::from_str(&project.text(source)).unwrap_or_default();
    if package["scripts"].get("test").is_some() {
        return vec![Found::test("composer test", source)];
    }
    if project.has("artisan") {
        return vec![Found::test("php artisan test", "artisan")];
    }
    if project.has_file_in("tests", |name| name == "Pest.php") {
        return vec![Found::test("vendor/bin/pest", "tests/Pest.php")];
    }
    let config = project.first(&["phpunit.xml", "phpunit.xml.dist", "phpunit.dist.xml"]);
    config.map(|config| Found::test("vendor/bin/phpunit", config)).into_iter().collect()
}
