//! `baton init`: a settings file with the checks that the project shows, and the pages that Copilot's agent mode follows. What a
//! person wrote stays.
#![cfg(unix)]

use crate::support::session::Session;

const CARGO: &str = "//- /Cargo.toml\n[package]\nname = \"x\"\n//- /src/lib.rs\npub fn a() {}\n";
const PAGES: [&str; 4] = ["context", "plan", "implement", "review"];

fn page(phase: &str) -> String {
    format!(".github/agents/baton-{phase}.agent.md")
}

#[test]
fn a_settings_file_has_the_checks_of_the_project_and_is_read_without_a_word() {
    let session = Session::in_git(CARGO);
    let shown = session
        .baton(["init", "--dry-run"])
        .run()
        .expect(0)
        .prints("Would write baton.toml:")
        .prints("command = \"cargo test\"")
        .prints("# budget_usd = 5");
    assert!(!session.exists("baton.toml"), "a dry run writes nothing");

    let done = session.baton(["init"]).run().expect(0);
    done.prints("Wrote baton.toml").prints("`cargo test`").prints("baton trust").prints("baton run --task");
    assert!(shown.stdout.contains(session.text("baton.toml").trim_end()), "what was shown is what was written");
    let status = session.baton(["status"]).run().expect(0);
    assert!(!status.stderr.contains("warning") && !status.stderr.contains("error"), "{}", status.stderr);
    session.baton(["trust"]).run().expect(3).reports("cargo test");
    assert_eq!(session.git(&["status", "--porcelain"]), "?? baton.toml\n", "nothing else was written");
}

#[test]
fn a_settings_file_that_is_there_is_left_as_it_is() {
    let session = Session::in_git(CARGO);
    session.write("baton.toml", "# mine\nbudget_usd = 1\n");
    let done = session.baton(["init"]).run().expect(0);
    done.prints("left as it is").prints("+command = \"cargo test\"").prints(" budget_usd = 1");
    assert_eq!(session.text("baton.toml"), "# mine\nbudget_usd = 1\n");

    // The same command under another name is no check that is missing.
    let own = "[[checks]]\nname = \"unit\"\ncommand = \"cargo test\"\n";
    session.write("baton.toml", own);
    session.baton(["init"]).run().expect(0).prints("no check that it lacks");
    assert_eq!(session.text("baton.toml"), own);

    session.write("baton.toml", "budget_usd = [\n");
    session.baton(["init"]).run().expect(2).reports("baton.toml:");
}

#[test]
fn a_project_that_shows_nothing_gets_an_example() {
    let session = Session::in_git("//- /notes.txt\nx\n");
    session.baton(["init"]).run().expect(0).prints("set [[checks]]");
    assert!(session.text("baton.toml").contains("# command = \"make test\""));
}

#[test]
fn copilot_gets_a_page_for_each_phase_with_its_schema_and_hand_offs() {
    let session = Session::in_git(CARGO);
    session
        .baton(["init", "--copilot", "--dry-run"])
        .run()
        .expect(0)
        .prints("Would write .github/agents/baton-plan.agent.md");
    assert!(!session.exists(".github"));
    session.baton(["init", "--copilot"]).run().expect(0).prints("Wrote .github/copilot-instructions.md");
    for (phase, next) in PAGES.into_iter().zip(["plan", "implement", "review", "implement"]) {
        let text = session.text(&page(phase));
        let (header, body) = text.strip_prefix("---\n").and_then(|rest| rest.split_once("\n---\n")).expect("a header");
        assert!(header.starts_with(&format!("name: baton-{phase}\ndescription: ")), "{header}");
        assert!(
            header.contains("\nhandoffs:\n  - label: ") && header.contains(&format!("agent: baton-{next}\n")),
            "{header}"
        );
        // A button only fills in the prompt: a person sends it.
        assert!(!header.contains("send: true"), "{header}");
        assert_eq!(header.matches("agent: ").count(), header.matches("send: false").count(), "{header}");
        assert!(!text.contains("{{") && !body.contains("submit_"), "{text}");
        // The schema is the one that `baton schema` prints, and the file that of the phase.
        let name = if phase == "implement" { "impl_report" } else { phase };
        let schema = session.baton(["schema", name]).run().expect(0).json();
        let inlined = serde_json::to_string(&schema["properties"]).expect("JSON");
        assert!(body.contains(&inlined), "{body}");
        assert!(body.contains(&format!("`.agent_memory/{name}.json`")), "{body}");
        assert!(
            body.contains("a file `.gitignore` in it that holds the line `*`"),
            "what is handed on is never committed"
        );
        assert!(text.len() < 30_000, "longer pages are cut");
    }
    assert!(session.text(".github/copilot-instructions.md").contains("Never write `approval.json`"));
    assert!(!session.exists("AGENTS.md"), "only on request");
    assert!(!session.exists(".agent_memory") && !session.exists("baton.toml"));
}

#[test]
fn what_a_person_wrote_is_never_overwritten() {
    let session = Session::in_git(CARGO);
    session.write(".github/copilot-instructions.md", "# Mine\r\n\r\nUse tabs.\r\n");
    session.write("AGENTS.md", "Be kind.");
    session.write(&page("review"), "# My reviewer\n");
    session.baton(["init", "--copilot", "--agents-md"]).run().expect(0).prints("baton-review.agent.md: it is not from");
    let shared = session.text(".github/copilot-instructions.md");
    assert!(shared.starts_with("# Mine\r\n\r\nUse tabs.\r\n\r\n<!-- baton:begin v1 -->\r\n"), "{shared:?}");
    assert!(session.text("AGENTS.md").starts_with("Be kind.\n\n<!-- baton:begin v1 -->\n"));
    assert_eq!(session.text(&page("review")), "# My reviewer\n");

    // Again, and nothing changes.
    let before = session.tree();
    let again = session.baton(["init", "--copilot", "--agents-md"]).run().expect(0);
    assert!(!again.stdout.contains("Wrote") && !again.stdout.contains("Changed"), "{}", again.stdout);
    assert_eq!(session.tree(), before);

    // What was edited outside of the marks stays, and an edited page is left alone; what was taken out comes back.
    session.write("AGENTS.md", session.text("AGENTS.md").replace("rejects", "x") + "\nAnd more.\n");
    let mine = session.text(&page("plan")).replace("# You plan the work", "# You plan my work");
    session.write(&page("plan"), &mine);
    std::fs::remove_file(session.path(&page("context"))).expect("it is there");
    session.write(".github/copilot-instructions.md", shared.replace("through four agents", "somehow"));
    session
        .baton(["init", "--copilot", "--agents-md"])
        .run()
        .expect(0)
        .prints("baton-plan.agent.md: it was edited")
        .prints("Wrote .github/agents/baton-context.agent.md")
        .prints("Changed .github/copilot-instructions.md")
        .prints("Unchanged: AGENTS.md");
    assert_eq!(session.text(&page("plan")), mine);
    assert_eq!(session.text(".github/copilot-instructions.md"), shared);
    assert!(session.text("AGENTS.md").ends_with("<!-- baton:end -->\n\nAnd more.\n"));
}

#[test]
fn nothing_is_written_outside_of_the_workspace() {
    let session = Session::in_git(CARGO);
    let outside = session.root().parent().expect("a parent").join("outside");
    std::fs::create_dir(&outside).expect("a folder");
    std::os::unix::fs::symlink(&outside, session.path(".github")).expect("a link");
    std::os::unix::fs::symlink(outside.join("baton.toml"), session.path("baton.toml")).expect("a link");
    let done = session.baton(["init", "--copilot"]).run();
    assert_ne!(done.code, Some(130), "{done:?}");
    assert!(!session.baton(["init"]).run().stdout.contains("Wrote"));
    assert_eq!(std::fs::read_dir(&outside).expect("a folder").count(), 0);
}
