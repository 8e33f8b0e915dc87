/// A number with its noun: `1 file`, `2 files`.
pub fn count(number: usize, one: &str) -> String {
    format!("{number} {}", plural(number, one))
}

/// The noun alone, for where something stands between it and its number: `file`, `files`.
pub fn plural(number: usize, one: &str) -> String {
    if number == 1 { one.to_owned() } else { format!("{one}s") }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn one_alone_is_singular() {
        for (number, text) in [(0, "0 files"), (1, "1 file"), (2, "2 files"), (11, "11 files")] {
            assert_eq!(count(number, "file"), text);
            assert_eq!(format!("{number} {}", plural(number, "file")), text);
        }
    }
}
