use super::*;

const BODY: &str = "MIIEvQIBADANBgkqhkiG9w0BAQEFAASCBKcwggSjAgEAAoIBAQC7VJTUt9Us8cKj\nMzEfYyjiWA4R4/M2bS1GB4t7NXp98C3SC6dVMvDuictGeurT8jNbvJZHtCSuYEvu\nNMoSfm76oqFvAp8Gy0iz5sxjZmSnXyCdPEovGhLa\n";

fn key(kind: &str) -> String {
    format!("-----BEGIN {kind}PRIVATE KEY-----\n{BODY}-----END {kind}PRIVATE KEY-----\n")
}

/// Something of each form, put together here so that no scanner takes this file for one that holds any.
fn tokens() -> Vec<(&'static str, String)> {
    let letters = |n: usize| "aB3dE5gH7jK9mN1pQ".chars().cycle().take(n).collect::<String>();
    let upper = |n: usize| "ABCDEFGHJKMNPQRS".chars().cycle().take(n).collect::<String>();
    let hex = |n: usize| "0123456789abcdef".chars().cycle().take(n).collect::<String>();
    vec![
        ("AWS access key id", format!("AKIA{}", upper(16))),
        ("AWS access key id", format!("ASIA{}", upper(16))),
        ("GitHub token", format!("ghp_{}", letters(36))),
        ("GitHub token", format!("ghs_{}", letters(36))),
        ("GitHub token", format!("github_pat_{}_{}", letters(22), letters(59))),
        ("GitLab token", format!("glpat-{}", letters(20))),
        ("GitLab token", format!("gldt-{}", letters(20))),
        ("Slack token", format!("xoxb-{}-{}-{}", "1234567890", "1234567890", letters(24))),
        ("Slack token", format!("xapp-1-A0-{}", letters(40))),
        ("Stripe key", format!("sk_live_{}", letters(24))),
        ("Stripe key", format!("rk_test_{}", letters(24))),
        ("Stripe webhook secret", format!("whsec_{}", letters(32))),
        ("Anthropic key", format!("sk-ant-api03-{}", letters(90))),
        ("OpenAI key", format!("sk-proj-{}", letters(100))),
        ("OpenAI key", format!("sk-{}T3BlbkFJ{}", letters(20), letters(20))),
        ("Google API key", format!("AIza{}", letters(35))),
        ("Google client secret", format!("GOCSPX-{}", letters(28))),
        ("Google access token", format!("ya29.{}", letters(60))),
        ("npm token", format!("npm_{}", letters(36))),
        ("PyPI token", format!("pypi-AgE{}", letters(100))),
        ("crates.io token", format!("cio{}", letters(32))),
        ("RubyGems key", format!("rubygems_{}", hex(48))),
        ("Docker token", format!("dckr_pat_{}", letters(27))),
        ("Hugging Face token", format!("hf_{}", letters(34))),
        ("DigitalOcean token", format!("dop_v1_{}", hex(64))),
        ("Shopify token", format!("shpat_{}", hex(32))),
        ("SendGrid key", format!("SG.{}.{}", letters(22), letters(43))),
        ("Vault token", format!("hvs.{}", letters(90))),
        ("Terraform token", format!("{}.atlasv1.{}", letters(14), letters(67))),
        ("Databricks token", format!("dapi{}", hex(32))),
        ("Grafana token", format!("glsa_{}_{}", letters(32), hex(8))),
        ("New Relic key", format!("NRAK-{}", upper(27))),
        ("Linear key", format!("lin_api_{}", letters(40))),
        ("Sentry token", format!("sntrys_{}", letters(60))),
        ("age key", format!("AGE-SECRET-KEY-1{}", upper(58))),
        ("JWT", format!("eyJ{}.eyJ{}.{}", letters(20), letters(40), letters(43))),
    ]
}

#[test]
fn tokens_are_masked_by_their_form_wherever_they_stand() {
    for (name, token) in tokens() {
        for text in [
            token.clone(),
            format!("const KEY: &str = \"{token}\";\n"),
            format!("key={token}\r\nnext\r\n"),
            format!("  12\t    token: '{token}' # é\n"),
            format!("curl -H 'Authorization: Bearer {token}' https://example.org"),
        ] {
            let shown = masked(&text);
            assert!(!shown.contains(&token[token.len() / 2..]), "{name}: {shown}");
            assert_eq!(shown, text.replace(&token, &format!("<masked by Baton: {name}>")), "{name}");
            assert_eq!(masks(&shown), 1);
            assert_eq!(masked(&shown), shown, "a mask is no secret");
        }
    }
    let forms: std::collections::BTreeSet<_> = FORMS.iter().map(|form| form.name).collect();
    let shown: std::collections::BTreeSet<_> = tokens().into_iter().map(|(name, _)| name).collect();
    let by_value = ["AWS secret access key", "Azure storage key", "Slack webhook"];
    let missing: Vec<_> = forms.difference(&shown).filter(|name| !by_value.contains(name)).collect();
    assert!(missing.is_empty(), "forms without an example: {missing:?}");
    assert!(FORMS.iter().all(|form| !form.source.is_empty()));
}

#[test]
fn every_token_shows_a_sign_of_itself_alone() {
    let mut tokens: Vec<String> = tokens().into_iter().map(|(_, token)| token).collect();
    let value = "aB3dE5gH7jK9mN1pQ".repeat(6);
    tokens.push(format!("aWs_SeCrEtKeY={}", &value[..40]));
    tokens.push(format!("AccountKey={}==", &value[..86]));
    for kind in ["services", "workflows", "triggers"] {
        tokens.push(format!("https://hooks.slack.com/{kind}/{}", &value[..30]));
    }
    for (before, kinds, after) in [
        ("gh", "p o u s r", "_"),
        ("gl", "pat oas dt rt rtr cbt ptt ft imt agent wt soat ffct", "-"),
        ("xox", "a b c e o p r s a.xoxp a.xoxb", "-"),
        ("sk-", "proj svcacct admin None ant", "-"),
        ("do", "o p r", "_v1_"),
        ("shp", "at ca pa ss ua", "_"),
        ("hv", "s b r", "."),
        ("dckr_", "pat oat", "_"),
        ("lin_", "api oauth", "_"),
        ("sntry", "s u", "_"),
        ("", "sk_live sk_test rk_live rk_test", "_"),
    ] {
        let hex = "0123456789abcdef".repeat(4);
        let rest = if ["_v1_"].contains(&after) || before == "shp" { &hex } else { &value };
        let rest = if before == "shp" {
            &rest[..32]
        } else if before == "dckr_" {
            &rest[..40]
        } else {
            &rest[..64]
        };
        tokens.extend(kinds.split(' ').map(|kind| format!("{before}{kind}{after}{rest}")));
    }
    for token in tokens {
        assert!(TOKENS.is_match(&token), "no form has it: {token}");
        assert!(SIGN.is_match(&token), "no sign of it: {token}");
    }
    assert!(SIGN.is_match("AGE-SECRET-KEY-PQ-1") && !SIGN.is_match("let task = disk.risk(self);"));
}

#[test]
fn tokens_are_found_by_their_signs_as_by_their_forms() {
    let value = "wJalrXUtnFEMI/K7MDENG/bPxRfiCYzz0123abcd";
    let spread = format!("aws_secret_access_key\n\n\n\n:\n\n\n\n{value}");
    let mut text = String::new();
    for (number, token) in tokens().into_iter().map(|(_, token)| token).chain([spread]).enumerate() {
        text.push_str(&"the laws of an \u{e9}tude\n".repeat(number % 3));
        text.push_str(&"a line of prose\n".repeat(number % 13));
        text.push_str(&format!("a {token} b {token}\n"));
    }
    text.push_str(&format!("{}\naws_secret_key={value}", "x\n".repeat(20)));
    let by_form: Vec<_> = TOKENS.captures_iter(&text).map(|captures| token(&captures)).collect();
    let mut by_sign = Vec::new();
    super::tokens(&text, &mut by_sign);
    assert_eq!(by_sign, by_form);
    assert_eq!(by_sign.iter().filter(|(span, _)| &text[span.clone()] == value).count(), 3);
}

#[test]
fn only_the_secret_part_of_a_line_is_masked() {
    let secret = "wJalrXUtnFEMIK7MDENGbPxRfiCYzzzzzzzzKEY1";
    assert_eq!(secret.len(), 40);
    assert_eq!(
        masked(&format!("aws_secret_access_key = {secret}\nregion = eu\n")),
        "aws_secret_access_key = <masked by Baton: AWS secret access key>\nregion = eu\n"
    );
    let account = format!("{}==", "Ab1/".repeat(22).split_at(86).0);
    assert_eq!(
        masked(&format!("AccountName=a;AccountKey={account};EndpointSuffix=core")),
        "AccountName=a;AccountKey=<masked by Baton: Azure storage key>;EndpointSuffix=core"
    );
}

#[test]
fn private_keys_are_masked_line_by_line() {
    for kind in ["", "RSA ", "EC ", "DSA ", "ENCRYPTED ", "OPENSSH "] {
        let text = format!("before\n{}after\n", key(kind));
        let shown = masked(&text);
        let mask = "<masked by Baton: private key>\n";
        assert_eq!(shown, format!("before\n{}after\n", mask.repeat(5)), "{kind}");
    }
    let pgp = format!(
        "-----BEGIN PGP PRIVATE KEY BLOCK-----\nVersion: 1\n\n{BODY}=abcd\n-----END PGP PRIVATE KEY BLOCK-----\n"
    );
    assert!(!masked(&pgp).contains("MzEfYyji"));
    assert_eq!(masked(&pgp).lines().count(), pgp.lines().count());
    let putty = format!("PuTTY-User-Key-File-3: ssh-rsa\nPrivate-Lines: 3\n{BODY}Private-MAC: 00\n");
    assert!(!masked(&putty).contains("MzEfYyji"));
    let old = format!("-----BEGIN RSA PRIVATE KEY-----\nProc-Type: 4,ENCRYPTED\nDEK-Info: AES-128-CBC,00\n\n{BODY}");
    assert!(!masked(&old).contains("MzEfYyji"), "{}", masked(&old));
}

#[test]
fn private_keys_are_found_in_the_dress_of_other_formats() {
    let escaped = key("").replace('\n', "\\n");
    let json = format!("{{\"private_key\": \"{escaped}\", \"client_email\": \"a@b\"}}");
    assert_eq!(masked(&json), "{\"private_key\": \"<masked by Baton: private key>\\n\", \"client_email\": \"a@b\"}");
    let numbered =
        |text: &str| -> String { text.lines().enumerate().map(|(n, line)| format!("{n:>5}\t{line}\n")).collect() };
    for (dress, front) in [("yaml", "    "), ("a comment", "# "), ("a diff", "+"), ("a removal", "-"), ("lisp", ";; ")]
    {
        let text: String = key("").lines().map(|line| format!("{front}{line}\n")).collect();
        // Whole, cut before its end, and as a listing.
        let cut: String = text.lines().take(3).map(|line| format!("{line}\n")).collect();
        for text in [text.clone(), cut, numbered(&text)] {
            let shown = masked(&text);
            assert!(!shown.contains("MIIEvQ") && !shown.contains("MzEfYyji"), "{dress}: {shown}");
            assert_eq!(shown.lines().count(), text.lines().count(), "{dress}");
        }
    }
    assert!(masked(&numbered(&key(""))).contains("    2\t<masked"), "{}", masked(&numbered(&key(""))));
}

#[test]
fn what_only_speaks_of_keys_stays_as_it_is() {
    for text in [
        "const PEM: &str = \"-----BEGIN PRIVATE KEY-----\";\nfn main() {\n    println!(\"{PEM}\");\n}\n",
        "if line == \"-----BEGIN PRIVATE KEY-----\" {\n    start(line);\n} else if line == \"-----END PRIVATE KEY-----\" {\n    end(line);\n}\n",
        "Regex::new(\"-----BEGIN RSA PRIVATE KEY-----\").expect(\"it is a regular expression\")",
        "-----BEGIN CERTIFICATE-----\nMIIDdzCCAl+gAwIBAgIEAgAAuTANBgkqhkiG9w0BAQUFADBaMQswCQYDVQQGEwJJ\n-----END CERTIFICATE-----\n",
        "-----BEGIN PUBLIC KEY-----\nMIIDdzCCAl+gAwIBAgIEAgAAuTANBgkqhkiG9w0BAQUFADBaMQswCQYDVQQGEwJJ\n-----END PUBLIC KEY-----\n",
        "ghp_short sk-learn sk_test xoxb- AKIA npm_config_registry hf_token glpat- eyJ.eyJ.x",
        "let task_list = risk_test_assignment; scikit sk-proj-",
        "sha256 = 0123456789abcdef0123456789abcdef0123456789abcdef0123456789abcdef",
        "",
    ] {
        assert!(matches!(masked(text), Cow::Borrowed(_)), "{}", masked(text));
    }
}

#[test]
fn long_texts_take_time_in_proportion() {
    // Beginnings without an end are looked at in a bounded stretch each.
    let hostile = "-----BEGIN PRIVATE KEY-----\nab cd ef\n".repeat(40_000);
    let started = std::time::Instant::now();
    assert!(matches!(masked(&hostile), Cow::Borrowed(_)));
    assert!(started.elapsed().as_secs() < 30, "{:?}", started.elapsed());
}

#[test]
fn a_service_account_is_known_by_what_it_holds() {
    let account = "{\n  \"type\": \"service_account\",\n  \"private_key_id\": \"x\",\n  \"private_key\": \"y\"\n}";
    assert!(is_secret_text(account.as_bytes()));
    assert!(is_secret_text(format!("\u{feff}\n{account}").as_bytes()));
    assert!(is_secret_text(b"{\"type\":\"authorized_user\",\"refresh_token\":\"1//0\"}"));
    assert!(!is_secret_text(b"{\"type\": \"service_account\"}"));
    assert!(!is_secret_text(b"// \"type\": \"service_account\", \"private_key\""));
    assert!(!is_secret_text(b"\xff{"));
}
