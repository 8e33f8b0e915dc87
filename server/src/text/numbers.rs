use std::time::Duration;

/// Tokens in at most four digits: `812`, `18.2k`, `1.3M`.
pub fn tokens(count: u64) -> String {
    match count {
        0..1_000 => count.to_string(),
        // Above these bounds a rounded "1000.0k" would come out.
        1_000..99_950 => format!("{:.1}k", count as f64 / 1e3),
        99_950..999_500 => format!("{:.0}k", count as f64 / 1e3),
        _ => format!("{:.1}M", count as f64 / 1e6),
    }
}

/// US dollars: `$12.30`, `$0.042`, `<$0.01`; nothing spent is `$0.00`.
pub fn cost(usd: f64) -> String {
    if usd <= 0.0 {
        "$0.00".to_owned()
    } else if usd < 0.01 {
        "<$0.01".to_owned()
    } else if usd < 0.0995 {
        let text = format!("${usd:.3}");
        text.strip_suffix('0').map(str::to_owned).unwrap_or(text)
    } else {
        format!("${usd:.2}")
    }
}

/// A duration, for people: `0.4 s`, `12 s`, `1 m 12 s`, `2 h 3 m`.
pub fn elapsed(time: Duration) -> String {
    let seconds = time.as_secs();
    match seconds {
        0..10 => format!("{}.{} s", seconds, time.subsec_millis() / 100),
        _ => whole_seconds(time),
    }
}

/// [`elapsed`] of what is over, without tenths: `<1 s`, `12 s`.
pub fn took(time: Duration) -> String {
    if time.as_secs() == 0 { "<1 s".to_owned() } else { whole_seconds(time) }
}

/// [`elapsed`] for a display that counts up: without tenths.
pub fn whole_seconds(time: Duration) -> String {
    let seconds = time.as_secs();
    match seconds {
        0..60 => format!("{seconds} s"),
        60..3_600 => format!("{} m {} s", seconds / 60, seconds % 60),
        _ => format!("{} h {} m", seconds / 3_600, seconds / 60 % 60),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn tokens_keep_to_four_digits() {
        for (count, text) in [
            (0, "0"),
            (999, "999"),
            (1_000, "1.0k"),
            (18_249, "18.2k"),
            (99_949, "99.9k"),
            (99_950, "100k"),
            (999_499, "999k"),
            (999_500, "1.0M"),
            (1_340_000, "1.3M"),
        ] {
            assert_eq!(tokens(count), text);
        }
    }

    #[test]
    fn cost_is_never_rounded_to_nothing() {
        for (usd, text) in [
            (0.0, "$0.00"),
            (0.0004, "<$0.01"),
            (0.042, "$0.042"),
            (0.05, "$0.05"),
            (0.0999, "$0.10"),
            (0.4, "$0.40"),
            (12.3, "$12.30"),
        ] {
            assert_eq!(cost(usd), text);
        }
    }

    #[test]
    fn time_is_written_in_two_units() {
        for (milliseconds, text) in [
            (0, "0.0 s"),
            (449, "0.4 s"),
            (9_999, "9.9 s"),
            (12_900, "12 s"),
            (72_000, "1 m 12 s"),
            (7_383_000, "2 h 3 m"),
        ] {
            assert_eq!(elapsed(Duration::from_millis(milliseconds)), text);
        }
        assert_eq!(whole_seconds(Duration::from_millis(2_900)), "2 s");
        assert_eq!([0, 999, 1_000].map(|ms| took(Duration::from_millis(ms))), ["<1 s", "<1 s", "1 s"]);
    }
}
