//! The values in a file of secrets.

/// Values that are long enough but say nothing.
const NO_SECRETS: &[&str] =
    &["localhost", "127.0.0.1", "development", "production", "disabled", "required", "password", "undefined"];

/// The shortest value that is masked in an output: a shorter one stands in too many words.
const SHORTEST_MASKED: usize = 8;

/// What a file of secrets holds: the values of its settings, the lines of its keys.
pub(super) fn values_of(text: &str) -> Vec<String> {
    let mut values = Vec::new();
    for line in text.lines().map(str::trim).filter(|line| !line.is_empty() && !line.starts_with(['#', ';', '/', '-'])) {
        // `password x` of a .netrc.
        let words: Vec<&str> = line.split_whitespace().collect();
        values.extend(words.windows(2).filter(|pair| pair[0] == "password").map(|pair| pair[1]));
        match line.find(['=', ':']) {
            // A line of Base64 ends in `=`.
            Some(at) if !line[at..].trim_matches('=').is_empty() => {
                let value = bare(&line[at + 1..]);
                values.push(value);
                // The last field of `host:port:database:user:password`, and a login in an address.
                let password = value.rsplit_once('@').map_or(value, |(login, _)| login);
                values.extend(password.rsplit_once(':').map(|(_, last)| bare(last)));
            }
            _ if words.len() == 1 => values.push(bare(line)),
            _ => {}
        }
    }
    values.into_iter().filter(|value| !NO_SECRETS.contains(value)).filter_map(worth_masking).collect()
}

fn bare(value: &str) -> &str {
    value.trim().trim_end_matches(',').trim_matches(['"', '\'', '`'])
}

/// A value without the blanks around it, where it is long enough to be masked.
pub(in crate::workspace::sandbox) fn worth_masking(value: &str) -> Option<String> {
    let value = value.trim();
    (value.chars().count() >= SHORTEST_MASKED).then(|| value.to_owned())
}
