//! Each format holds for its validator, whatever the issues are.

use std::fs;
use std::process::Command;

use pulldown_cmark::{Event, Parser, Tag};
use serde_json::{Value, json};

use super::{FIRST, SECOND, against_main, changed, finds, issue, json_of, rdjson_lines, results, reviewer};
use crate::support::editors::{report_validators, succeeds};
use crate::support::messages_api::{MessagesApi, Script};
use crate::support::replies::{approves, but, own, review, with, workspace};
use crate::support::session::Session;

const ALL: [&str; 6] = ["--sarif", "out.sarif", "--rdjsonl", "out.rdjsonl", "--summary", "out.md"];

/// Fails the test when a validator finds anything wrong with `out.sarif` or `out.rdjsonl`.
fn validate(session: &Session) {
    let Some((sarif, rdformat)) = report_validators() else { return };
    // The program takes words that the standard does not have; its own copy of the schema does not.
    let schema = fs::read_to_string(sarif.with_file_name("sarif-2.1.0.json")).unwrap();
    let schema: Value = serde_json::from_str(schema.trim_start_matches('\u{feff}')).unwrap();
    let schema = jsonschema::validator_for(&schema).unwrap();
    let log = json_of(session, "out.sarif");
    let faults: Vec<String> =
        schema.iter_errors(&log).map(|fault| format!("{}: {fault}", fault.instance_path())).collect();
    assert!(faults.is_empty(), "{faults:#?}");
    let mut unknown = log;
    unknown["runs"][0]["columnKind"] = json!("bytes");
    assert!(!schema.is_valid(&unknown), "it is the schema");
    let mut command = Command::new(sarif);
    // Without it, the program wants a library for languages that small systems do not have.
    command.env("DOTNET_SYSTEM_GLOBALIZATION_INVARIANT", "1").args(["validate", "--level", "Error;Warning"]);
    let said = succeeds(command.arg(session.path("out.sarif")));
    let found: Vec<&str> =
        said.lines().filter(|line| line.contains(": error ") || line.contains(": warning ")).collect();
    assert!(said.contains("Analysis completed successfully"), "{said}");
    // There is no page about Baton yet, nor a repository to name.
    let found: Vec<&&str> = found.iter().filter(|line| !line.contains("'informationUri'")).collect();
    assert!(found.is_empty(), "{found:#?}\n{}", session.text("out.sarif"));
    let lines = session.text("out.rdjsonl");
    for (index, line) in lines.lines().enumerate() {
        let file = format!("line-{index}.json");
        session.write(&file, format!("{{\"diagnostics\": [{line}]}}"));
        let file = session.path(&file);
        succeeds(Command::new("node").arg(&rdformat).args(["--strict", "--no-extra-fields"]).arg(file));
    }
}

/// A review of every kind of issue: at one line, at several, with none, without a place, dismissed, and with words that are
/// syntax elsewhere.
fn all_kinds(session: &Session) -> MessagesApi {
    let hostile = "See [here](javascript:1), <b>|x|</b>\n::error::no\n\u{1b}[31mred\u{202e} {0} %0A";
    let issues = [
        with(issue("minor", FIRST, "two", "Dismissed before."), json!({ "suggested_fix": "Leave it." })),
        with(issue("critical", FIRST, "one();\ntwo();", hostile), json!({ "line": 2, "end_line": 3 })),
        issue("major", SECOND, "due", "Not `due`."),
        json!({ "severity": "suggestion", "file": SECOND, "description": "No quote and no line." }),
        issue("minor", "../gone.rs", "x", "Nowhere."),
    ];
    against_main(session, &finds(&issues[..1]), &[]).expect(0);
    let id = session.handoff("base_review.json")["issues"][0]["id"].as_str().unwrap().to_owned();
    session.baton(["dismiss", &id, "--because", "It is \"meant\" so."]).run().expect(0);
    finds(&issues)
}

#[test]
fn every_report_of_every_kind_of_issue_is_valid() {
    let session = changed();
    let api = all_kinds(&session);
    against_main(&session, &api, &ALL).expect(6);
    validate(&session);
    let log = json_of(&session, "out.sarif");
    let run = &log["runs"][0];
    assert_eq!((&log["version"], &run["tool"]["driver"]["name"]), (&json!("2.1.0"), &json!("Baton")));
    assert_eq!(run["tool"]["driver"]["semanticVersion"], env!("CARGO_PKG_VERSION"));
    let root = run["originalUriBaseIds"]["%SRCROOT%"]["uri"].as_str().unwrap();
    assert_eq!(root, format!("file://{}/", session.root().display()));
    let invocation = &run["invocations"][0];
    assert_eq!((&invocation["executionSuccessful"], &invocation["exitCode"]), (&json!(true), &json!(6)));
    assert_eq!(invocation.get("toolExecutionNotifications"), None);

    let found = results(&log);
    let place = |result: &Value| {
        let physical = &result["locations"][0]["physicalLocation"];
        let (artifact, region) = (&physical["artifactLocation"], &physical["region"]);
        assert_eq!(artifact["uriBaseId"], "%SRCROOT%");
        let of = |value: &Value| value.as_u64().unwrap_or_default();
        (artifact["uri"].as_str().unwrap().to_owned(), of(&region["startLine"]), of(&region["endLine"]))
    };
    let (first, second) = ("src/%C3%BCber%20uns/n%C3%A4ch%20%231.rs", "src/%E6%97%A5%E6%9C%AC%2050%25.rs");
    let places: Vec<_> = found.iter().map(place).collect();
    let expected =
        [(first, 3, 0), (first, 2, 3), (second, 2, 0), (second, 1, 0), (".agent_memory/base_review.json", 1, 0)];
    assert_eq!(places, expected.map(|(uri, start, end)| (uri.to_owned(), start, end)));
    let levels: Vec<_> = found.iter().map(|result| result["level"].as_str().unwrap()).collect();
    assert_eq!(levels, ["note", "error", "warning", "note", "note"]);
    for result in found {
        let rule = result["ruleIndex"].as_u64().and_then(|index| usize::try_from(index).ok()).unwrap();
        let rule = &run["tool"]["driver"]["rules"][rule];
        assert_eq!(rule["id"], result["ruleId"]);
        assert_eq!(result["partialFingerprints"]["batonLine/v1"].as_str().unwrap().len(), 64);
        assert_eq!(result.get("baselineState"), None, "there is no baseline");
    }
    let suppressed = json!([{ "kind": "external", "status": "accepted", "justification": "It is \"meant\" so." }]);
    assert_eq!(found[0]["suppressions"], suppressed);
    assert!(found[1..].iter().all(|result| result["suppressions"] == json!([])), "all or none have the property");
    let message = found[1]["message"]["text"].as_str().unwrap();
    assert!(message.contains("\\[here\\](javascript:1)") && !message.contains(['\u{1b}', '\u{202e}']), "{message:?}");
    assert!(found[4]["message"]["text"].as_str().unwrap().contains("at ../gone.rs; no place"), "{:?}", found[4]);

    // The dismissed one is for SARIF alone; the others come worst first.
    let lines = rdjson_lines(&session.text("out.rdjsonl"));
    let told: Vec<_> = lines.iter().map(|line| (&line["severity"], &line["code"]["value"])).collect();
    let expected = [("ERROR", "critical"), ("WARNING", "major"), ("INFO", "minor"), ("INFO", "suggestion")]
        .map(|(severity, word)| (json!(severity), json!(format!("review.{word}"))));
    assert_eq!(told, expected.iter().map(|(severity, code)| (severity, code)).collect::<Vec<_>>());
    let location = json!({ "path": FIRST, "range": { "start": { "line": 2 }, "end": { "line": 3 } } });
    assert_eq!(lines[0]["location"], location);
    assert_eq!(lines[2]["location"], json!({ "path": ".agent_memory/base_review.json" }));

    let summary = session.text("out.md");
    assert!(summary.starts_with("## Baton: changes requested, 4 issues\n\n"), "{summary}");
    assert!(summary.contains("- **critical** `src/über uns/näch #1.rs`:2-3 — See "), "{summary}");
    assert!(summary.contains("1 issue dismissed.\n\n"), "{summary}");
    let is_live = |event: &Event<'_>| {
        matches!(event, Event::Start(Tag::Link { .. } | Tag::Image { .. }) | Event::Html(_) | Event::InlineHtml(_))
    };
    let live: Vec<_> = Parser::new(&summary).filter(is_live).collect();
    assert!(live.is_empty() && summary.contains("javascript:1"), "{live:?} in:\n{summary}");
}

#[test]
fn a_review_that_found_nothing_is_valid_too_and_the_summary_is_added_to() {
    let session = changed();
    for title in ["approved", "changes requested"] {
        let api = match title {
            "approved" => reviewer([approves()]),
            _ => finds(&[issue("minor", SECOND, "due", "Not due.")]),
        };
        against_main(&session, &api, &ALL).expect(0);
        validate(&session);
        assert!(session.text("out.md").contains(&format!("## Baton: {title}, ")), "{}", session.text("out.md"));
    }
    let summary = session.text("out.md");
    assert_eq!(summary.matches("## Baton: ").count(), 2, "{summary}");
    assert_eq!(results(&json_of(&session, "out.sarif")).len(), 1, "the other files are replaced");
    assert_eq!(session.text("out.rdjsonl").lines().count(), 1);
}

#[test]
fn an_end_without_a_review_is_told_as_one_in_a_log_without_results() {
    let check = |session: &Session, code: i32, title: &str, words: &str| {
        validate(session);
        let log = json_of(session, "out.sarif");
        let invocation = &log["runs"][0]["invocations"][0];
        assert!(results(&log).is_empty(), "{log}");
        assert_eq!((&invocation["executionSuccessful"], &invocation["exitCode"]), (&json!(false), &json!(code)));
        let told = &invocation["toolExecutionNotifications"][0];
        assert_eq!(told["level"], "error");
        assert!(told["message"]["text"].as_str().unwrap().contains(words), "{told}");
        assert_eq!(session.text("out.rdjsonl"), "");
        let summary = session.text("out.md");
        assert!(summary.starts_with(&format!("## Baton: {title}\n\n")), "{summary}");
        for file in ["out.sarif", "out.rdjsonl", "out.md"] {
            std::fs::remove_file(session.path(file)).unwrap();
        }
    };
    let session = changed();
    let api = reviewer([]);
    // The settings, the commit, the key, the budget.
    session.write("baton.toml", "keep_runs = 5\nbudget_usd = \"much\"\n");
    against_main(&session, &api, &ALL).expect(2).reports("baton.toml:2");
    check(&session, 2, "failed", "baton.toml:2");
    session.write("baton.toml", "");
    session.baton(["review", "--base", "nowhere"].into_iter().chain(ALL)).api(&api).run().expect(2);
    check(&session, 2, "failed", "\"nowhere\" names no commit");
    session.baton(["review", "--base", "main"].into_iter().chain(ALL)).run().expect(2);
    check(&session, 2, "failed", "ANTHROPIC_API_KEY");
    let run = session.baton(["review", "--base", "main"].into_iter().chain(ALL)).api(&api);
    run.env("BATON_BUDGET_USD", "0.000001").run().expect(3);
    check(&session, 3, "needs a person", "the budget is too small");
    assert!(api.requests().is_empty());
}

#[test]
fn a_run_tells_its_review_with_checks_and_criteria_also_where_it_is_escalated() {
    let session = Session::new(&workspace(1));
    let issues = [issue("major", "src/t1.rs", "    1", "Wrong at the root.")];
    let reply = review("rejected", "escalate_to_human", &issues);
    let api = MessagesApi::start(but(Script::new().on("review", [reply]), &[&[own("T1")]]));
    let args = ["--task", "Do it", "--auto-approve"].into_iter().chain(ALL);
    session.run(&api, args).expect(3);
    validate(&session);
    let log = json_of(&session, "out.sarif");
    let invocation = &log["runs"][0]["invocations"][0];
    assert_eq!((&invocation["executionSuccessful"], &invocation["exitCode"]), (&json!(true), &json!(3)));
    assert_eq!(results(&log)[0]["message"]["text"], "Wrong at the root.");
    let summary = session.text("out.md");
    assert!(
        summary.contains("## Baton: rejected, 1 issue\n") && summary.contains("acceptance criteria: "),
        "{summary}"
    );

    // A run that comes to no review has none to tell.
    let other = Session::new(&workspace(1));
    let api = MessagesApi::start(but(Script::new(), &[&[own("T1")]]));
    other.run(&api, ["--task", "Do it"].into_iter().chain(ALL)).expect(3);
    validate(&other);
    let log = json_of(&other, "out.sarif");
    assert_eq!(log["runs"][0]["invocations"][0]["executionSuccessful"], false);
    assert!(results(&log).is_empty());
}
