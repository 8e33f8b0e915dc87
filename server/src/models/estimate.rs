//! How many tokens a text has, where nobody counted them.

/// Bytes of a prompt a token: code in JSON, in the middle of what models take.
pub const BYTES_A_TOKEN: f64 = 3.2;
/// What was not counted is taken for so many times as much: rather too many tokens than too few.
pub const MARGIN: f64 = 1.1;

/// Tokens of so many bytes.
pub(super) fn estimated_tokens(bytes: usize) -> u64 {
    #[expect(clippy::cast_possible_truncation, clippy::cast_sign_loss, reason = "positive, and far below 2^64")]
    let tokens = (bytes as f64 * MARGIN / BYTES_A_TOKEN).ceil() as u64;
    tokens
}
