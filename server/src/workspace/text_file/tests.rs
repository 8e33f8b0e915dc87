use super::*;

fn edit(bytes: &[u8], from: &str, to: &str) -> Vec<u8> {
    let file = TextFile::decode(bytes).unwrap();
    assert_eq!(file.encode(file.text()).unwrap(), bytes, "an unchanged text comes back the same");
    file.encode(&file.text().replace(from, to)).unwrap()
}

#[test]
fn windows_line_endings_survive() {
    assert_eq!(edit(b"a\r\nb\r\n", "b\n", "c\nd\n"), b"a\r\nc\r\nd\r\n");
}

#[test]
fn each_line_keeps_its_own_ending_in_a_mixed_file() {
    assert_eq!(edit(b"a\r\nb\nc\r\nd\r\n", "c\n", "x\ny\n"), b"a\r\nb\nx\r\ny\r\nd\r\n");
    assert_eq!(edit(b"a\r\r\nb\n", "b\n", "c\n"), b"a\r\r\nc\n");
}

#[test]
fn a_missing_last_newline_is_as_the_text_says() {
    assert_eq!(edit(b"a\r\nb", "b", "c"), b"a\r\nc");
    assert_eq!(edit(b"a\r\nb", "b", "b\nc"), b"a\r\nb\r\nc");
    assert_eq!(edit(b"a\r\nb\r\n", "b\n", "b"), b"a\r\nb");
}

#[test]
fn carriage_returns_of_a_model_are_not_doubled() {
    let file = TextFile::decode(b"a\r\nb\r\n").unwrap();
    assert_eq!(file.encode("a\nnew\r\nb\n").unwrap(), b"a\r\nnew\r\nb\r\n");
    assert_eq!(file.encode("a\r\nnew\r\nb\r\n").unwrap(), b"a\r\nnew\r\nb\r\n");
    let mixed = TextFile::decode(b"a\nb\r\nc\r\n").unwrap();
    assert_eq!(mixed.encode("a\r\nb\r\nc\r\nd\r\n").unwrap(), b"a\nb\r\nc\r\nd\r\n");
}

#[test]
fn byte_order_marks_and_utf16_survive() {
    assert_eq!(edit("\u{feff}grün\n".as_bytes(), "grün", "rot"), "\u{feff}rot\n".as_bytes());
    let utf16: Vec<u8> = "\u{feff}a\r\n𝄞\r\n".encode_utf16().flat_map(u16::to_le_bytes).collect();
    let expected: Vec<u8> = "\u{feff}b\r\n𝄞\r\n".encode_utf16().flat_map(u16::to_le_bytes).collect();
    assert_eq!(edit(&utf16, "a", "b"), expected);
    let utf16: Vec<u8> = "\u{feff}a\n".encode_utf16().flat_map(u16::to_be_bytes).collect();
    let expected: Vec<u8> = "\u{feff}é\n".encode_utf16().flat_map(u16::to_be_bytes).collect();
    assert_eq!(edit(&utf16, "a", "é"), expected);
}

#[test]
fn windows_1252_survives_and_tells_what_it_cannot_hold() {
    assert_eq!(edit(b"caf\xe9 \x80\n", "café", "thé"), b"th\xe9 \x80\n");
    let file = TextFile::decode(b"caf\xe9\n").unwrap();
    let refused = file.encode("→ café\n").unwrap_err();
    assert_eq!(refused, CannotEncode::Character { charset: "Windows-1252", character: '→' });
}

#[test]
fn binaries_are_no_text() {
    let broken_utf16 = b"\xff\xfea";
    let lone_surrogate = b"\xff\xfe\x00\xd8a\x00";
    let utf32 = b"\xff\xfe\0\0a\0\0\0";
    for bytes in [b"a\0b".as_slice(), b"\x89PNG\r\n\x1a\n\xff", broken_utf16, lone_surrogate, utf32] {
        assert_eq!(TextFile::decode(bytes), Err(NotText), "{bytes:?}");
    }
    assert_eq!(TextFile::empty().encode("a\0"), Err(CannotEncode::Nul));
}

#[test]
fn an_empty_file_is_text() {
    assert_eq!(TextFile::decode(b"").unwrap().text(), "");
    assert_eq!(TextFile::decode(b"").unwrap().encode("a\n").unwrap(), b"a\n");
}

#[test]
fn whatever_decodes_comes_back_the_same() {
    let mut random = fastrand::Rng::with_seed(7);
    let pieces: [&[u8]; 9] =
        [b"a", b"\r\n", b"\n", b"\r", b"\xe9", "é".as_bytes(), b"\xff\xfe", b"\xef\xbb\xbf", b"\xe2\x80"];
    let mut decoded = 0;
    for _ in 0..5_000 {
        let bytes: Vec<u8> = (0..random.usize(..12)).flat_map(|_| pieces[random.usize(..9)].to_vec()).collect();
        let Ok(file) = TextFile::decode(&bytes) else { continue };
        decoded += 1;
        assert_eq!(file.encode(file.text()).unwrap(), bytes, "{bytes:?}");
        let longer = match file.encode(&format!("{}end", file.text())) {
            Ok(longer) => longer,
            Err(error) => {
                assert_eq!((error, bytes.len() % 2), (CannotEncode::Half, 1), "{bytes:?}");
                continue;
            }
        };
        assert!(TextFile::decode(&longer).is_ok_and(|again| again.text().ends_with("end")), "{bytes:?}");
    }
    assert!(decoded > 1_000);
}

#[test]
fn a_new_file_has_the_endings_it_is_given() {
    for (given, kept) in [
        ("a\r\nb\r\n", "a\r\nb\r\n"),
        ("a\nb\r\nc\r\n", "a\r\nb\r\nc\r\n"),
        ("a\nb\n", "a\nb\n"),
        ("a\r\nb\nc\n", "a\nb\nc\n"),
        ("a\rb", "a\rb"),
    ] {
        assert_eq!(TextFile::empty().encode(given).unwrap(), kept.as_bytes(), "{given:?}");
        assert_eq!(TextFile::decode(b"one line").unwrap().encode(given).unwrap(), kept.as_bytes(), "{given:?}");
    }
}

#[test]
fn a_changed_line_keeps_its_ending() {
    assert_eq!(edit(b"a\r\nword\nc\r\n", "word", "other"), b"a\r\nother\nc\r\n");
    assert_eq!(edit(b"a\n1\r\n2\nc\n", "1\n2\n", "one\ntwo\n"), b"a\none\r\ntwo\nc\n");
}

#[test]
fn a_stray_byte_does_not_make_the_file_another_encoding() {
    let bytes = b"caf\xc3\xa9 \x99 na\xc3\xafve\nsecond\n";
    let file = TextFile::decode(bytes).unwrap();
    assert_eq!(file.text(), "café \u{fffd} naïve\nsecond\n");
    assert_eq!(edit(bytes, "second", "thé →"), b"caf\xc3\xa9 \x99 na\xc3\xafve\nth\xc3\xa9 \xe2\x86\x92\n");
    assert_eq!(edit(bytes, "café", "thé"), b"th\xc3\xa9 \x99 na\xc3\xafve\nsecond\n", "in the very line too");
    assert_eq!(edit(bytes, "\u{fffd}", "™"), "café ™ naïve\nsecond\n".as_bytes(), "it can be mended");
    assert_eq!(edit(bytes, "\u{fffd} ", ""), "café naïve\nsecond\n".as_bytes());
    let with_mark = [b"\xef\xbb\xbf".as_slice(), b"abc \x99\n"].concat();
    assert_eq!(edit(&with_mark, "abc", "é"), [b"\xef\xbb\xbf\xc3\xa9 ".as_slice(), b"\x99\n"].concat());
    let cut = "é…é".as_bytes();
    let cut = [&cut[..4], &cut[5..], b"\r\n\xff\n"].concat();
    assert_eq!(TextFile::decode(&cut).unwrap().text(), "é\u{fffd}é\n\u{fffd}\n", "one for each broken sequence");
    assert_eq!(edit(&cut, "é\n", "x\n"), [&cut[..4], b"x\r\n\xff\n"].concat());
}

#[test]
fn few_letters_that_look_like_utf8_leave_windows_1252_what_it_is() {
    let text = "R\u{c9}SUM\u{c9}\u{bb} \u{e0} la caf\u{e9}, tr\u{e8}s bient\u{f4}t\n";
    let bytes: Vec<u8> = text.chars().map(|c| u8::try_from(u32::from(c)).unwrap()).collect();
    assert_eq!(TextFile::decode(&bytes).unwrap().text(), text);
}

#[test]
fn strays_stay_with_their_lines_when_these_are_moved_or_doubled() {
    let bytes = b"\xc3\xa9\xc3\xa9\nname \x99\nplain\nother \x98\nend\n";
    assert_eq!(
        edit(bytes, "name \u{fffd}\nplain\nother \u{fffd}\n", "other \u{fffd}\nplain\nname \u{fffd}\n"),
        b"\xc3\xa9\xc3\xa9\nother \x98\nplain\nname \x99\nend\n"
    );
    assert_eq!(
        edit(bytes, "end\n", "end\nname \u{fffd}\n"),
        b"\xc3\xa9\xc3\xa9\nname \x99\nplain\nother \x98\nend\nname \x99\n"
    );
    let file = TextFile::decode(bytes).unwrap();
    let unclear = file.encode(&format!("{}whose is \u{fffd}?\n", file.text())).unwrap_err();
    assert_eq!(unclear, CannotEncode::Stray { line: 6 });
    assert_eq!(edit(b"\xc3\xa9 \x99\n", "\n", "\nagain \u{fffd}\n"), b"\xc3\xa9 \x99\nagain \x99\n");
    let real = "\u{fffd} stands here\n".as_bytes();
    assert_eq!(edit(real, "here", "there \u{fffd}"), "\u{fffd} stands there \u{fffd}\n".as_bytes());
}

#[test]
fn a_lone_surrogate_or_an_odd_last_byte_leaves_utf16_what_it_is() {
    let mut bytes: Vec<u8> = "\u{feff}a long enough line é\r\n".encode_utf16().flat_map(u16::to_le_bytes).collect();
    let whole = bytes.clone();
    bytes.extend_from_slice(&[0x00, 0xd8, b'b', 0, b'!']);
    let file = TextFile::decode(&bytes).unwrap();
    assert_eq!(file.text(), "a long enough line é\n\u{fffd}b\u{fffd}");
    let mut expected = whole.clone();
    expected.extend_from_slice(&[0x00, 0xd8, b'c', 0, b'!']);
    assert_eq!(edit(&bytes, "b", "c"), expected);
}

#[test]
fn long_texts_are_encoded_in_time_and_on_hearing_stop_not_at_all() {
    let lines = |word: &str| -> String { (0..400_000).map(|n| format!("{word} {}\n", n % 1000)).collect() };
    let mut bytes = lines("old").replace('\n', "\r\n").into_bytes();
    bytes.extend_from_slice(b"\xc3\xa9 one \x99\n");
    let file = TextFile::decode(&bytes).unwrap();
    let written = file.encode(&lines("new")).unwrap();
    assert!(written == lines("new").replace('\n', "\r\n").into_bytes());
    let stopped = Interrupt::never();
    stopped.stop();
    assert!(matches!(file.encode_until(&lines("new"), &stopped), Err(CannotEncode::Interrupted(_))));
}

#[test]
fn the_text_alone_is_the_text_of_the_file() {
    let files: [&[u8]; 14] = [
        b"",
        b"one\ntwo\n",
        b"one\r\ntwo\r\n",
        b"\r\n\r\r\n\rx",
        b"\xef\xbb\xbfone\r\n",
        b"\xff\xfea\0\n\0",
        b"\xfe\xff\0a\0\n",
        b"\xff\xfe\0\0",
        b"caf\xe9\n",
        "caf\u{e9}\n".as_bytes(),
        b"\xc3\xa9\xc3\xa9 \xe9\n",
        b"a\0b",
        b"\x7fELF\x01\x02",
        b"\xff\x01",
    ];
    for bytes in files {
        let expected = TextFile::decode(bytes).ok().map(|file| file.text().to_owned());
        assert_eq!(text_of(bytes).map(std::borrow::Cow::into_owned), expected, "{bytes:?}");
    }
}
