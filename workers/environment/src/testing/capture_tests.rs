use maestro_entry::block::{Nonce, NotSent, write, write_none};
use proptest::prelude::*;

use super::*;

const SMALL: Limits = Limits {
    head: 64,
    tail: 128,
    report: 4096,
};

fn capture(log: &[u8], limits: Limits) -> Captured {
    let mut capture = LogCapture::new(limits);
    capture.push(log);
    capture.finish()
}

/// A block as `maestro-entry` prints it.
fn block(report: &[u8]) -> Vec<u8> {
    let mut out = Vec::new();
    write(report, Nonce::random(), &mut out).unwrap();
    out
}

fn none(reason: NotSent) -> Vec<u8> {
    let mut out = Vec::new();
    write_none(reason, Nonce::random(), &mut out).unwrap();
    out
}

fn whole(text: &str) -> Log {
    Log {
        head: text.to_owned(),
        omitted_bytes: None,
        tail: None,
    }
}

#[test]
fn the_report_is_taken_out_of_the_log_and_nothing_else_is() {
    let report = b"<testsuite/>".repeat(1000);
    for (before, shown) in [
        ("", ""),
        ("one\ntwo\n", "one\ntwo\n"),
        ("the last line has no end", "the last line has no end\n"),
        ("\n\n\n", "\n\n\n"),
        ("x\n\n", "x\n\n"),
        (
            "::maestro-junit.1: not really\n",
            "::maestro-junit.1: not really\n",
        ),
    ] {
        let log = [before.as_bytes(), &block(&report), b"after\n\n"].concat();
        let captured = capture(&log, Limits::default());
        assert_eq!(captured.report.as_deref(), Ok(report.as_slice()));
        let shown = match shown {
            // What the writer ended for the line without an end is all that is left of it.
            "" => "after\n\n".to_owned(),
            _ => format!("{shown}after\n\n"),
        };
        assert_eq!(captured.log, whole(&shown), "{before:?}");
    }
}

#[test]
fn what_others_print_between_the_lines_of_a_block_is_text() {
    let lines = String::from_utf8(block(&[7; 100])).unwrap();
    let torn: String = lines
        .lines()
        .flat_map(|line| [line, "\nmeanwhile\n"])
        .collect();
    let captured = capture(torn.as_bytes(), Limits::default());
    assert_eq!(captured.report, Ok(vec![7; 100]));
    // The empty line before the block is the end of what came before, here of `meanwhile`.
    assert_eq!(
        captured.log,
        whole("\nmeanwhile\nmeanwhile\nmeanwhile\nmeanwhile\n")
    );
}

#[test]
fn the_last_word_is_the_one_that_counts() {
    let (forged, real) = (block(b"forged"), block(b"real"));
    let cut = &real[..real.len() - 20];
    let report = |parts: &[&[u8]]| capture(&parts.concat(), SMALL).report;
    assert_eq!(report(&[&forged, &real]), Ok(b"real".to_vec()));
    assert_eq!(
        report(&[&forged, b"\n", &none(NotSent::Missing)]),
        Err(NotSent::Missing.into())
    );
    assert_eq!(
        report(&[&none(NotSent::Missing), &real]),
        Ok(b"real".to_vec())
    );
    assert_eq!(report(&[&forged, cut]), Err(ReportError::Incomplete));
    assert_eq!(report(&[cut, b"\n", &real]), Ok(b"real".to_vec()));
    // Lines of another block in the midst of one belong to neither.
    let lines = |block: &[u8]| -> Vec<Vec<u8>> {
        block
            .split_inclusive(|byte| *byte == b'\n')
            .map(<[u8]>::to_vec)
            .collect()
    };
    let (a, b) = (lines(&real), lines(&forged));
    let mixed = [&a[1], &b[2], &a[2], &b[3], &a[3]].map(Vec::as_slice);
    assert_eq!(report(&mixed), Ok(b"real".to_vec()));
}

#[test]
fn what_is_not_as_it_was_sent_is_told_in_one_sentence() {
    let sent = String::from_utf8(block(&b"<testsuite/>".repeat(40))).unwrap();
    let told = |log: &str| {
        capture(log.as_bytes(), SMALL)
            .report
            .unwrap_err()
            .to_string()
    };
    let digit = |c: char| if c == '0' { '1' } else { '0' };
    let hash_at = sent.trim_end().len() - 1;
    let mut other_hash = sent.clone();
    other_hash.replace_range(
        hash_at..=hash_at,
        &digit(sent.as_bytes()[hash_at].into()).to_string(),
    );
    let without_a_line: String = sent
        .split_inclusive('\n')
        .filter(|line| !line.contains(":+"))
        .collect();
    let without_its_beginning: String = sent.split_inclusive('\n').skip(2).collect();
    assert_eq!(
        told(""),
        "the tests were ended before their report was sent"
    );
    assert_eq!(told(&other_hash), "the report in the log is damaged");
    assert_eq!(told(&without_a_line), "the report in the log is damaged");
    assert_eq!(
        told(&sent.replace(":+H", ":+!")),
        "the report in the log is damaged"
    );
    assert_eq!(
        told(&sent.replace("480", "481")),
        "the report in the log is damaged"
    );
    assert_eq!(
        told(&without_its_beginning),
        "the report in the log is not complete"
    );
    let none = |reason| String::from_utf8(none(reason)).unwrap();
    assert_eq!(told(&none(NotSent::Missing)), "the tests wrote no report");
    let large = NotSent::TooLarge {
        bytes: 5_000,
        limit: 4_096,
    };
    assert_eq!(
        told(&none(large)),
        "the report has 5000 bytes, but 4096 are the most that is sent"
    );
}

#[test]
fn a_bomb_is_stopped_at_the_limit() {
    // A thousand times smaller when compressed.
    let bomb = block(&vec![b' '; 64 * 1024 * 1024]);
    let captured = capture(&bomb, Limits::default());
    assert_eq!(
        captured.report,
        Err(ReportError::TooLarge { most: MAX_REPORT })
    );
    assert_eq!(
        capture(&block(&[b' '; 4096]), SMALL).report,
        Ok(vec![b' '; 4096])
    );
    assert_eq!(
        capture(&block(&[b' '; 4097]), SMALL).report,
        Err(ReportError::TooLarge { most: 4096 })
    );
}

/// Bytes that do not compress.
fn noise(bytes: usize) -> Vec<u8> {
    let mut state = 1_u64;
    std::iter::repeat_with(|| {
        state = state
            .wrapping_mul(6_364_136_223_846_793_005)
            .wrapping_add(1);
        state.to_be_bytes()[0]
    })
    .take(bytes)
    .collect()
}

#[test]
fn a_report_of_the_largest_size_passes_even_if_it_cannot_be_compressed() {
    let report = noise(MAX_REPORT);
    let captured = capture(&block(&report), Limits::default());
    assert_eq!(captured.report.as_ref().map(Vec::len), Ok(MAX_REPORT));
    assert_eq!(captured.report, Ok(report));
}

#[test]
fn the_memory_is_bounded_whatever_the_log_holds() {
    let endless = block(&noise(100_000));
    let endless = &endless[..endless.len() - 200];
    let many: Vec<u8> = std::iter::repeat_with(|| block(&noise(3_000)))
        .take(20)
        .flatten()
        .collect();
    let no_line_ends = vec![b'x'; 200_000];
    let controls = vec![0_u8; 200_000];
    let long_marker = [PREFIX.as_bytes(), &vec![b'a'; 200_000]].concat();
    let empty_lines = vec![b'\n'; 200_000];
    for log in [
        endless,
        &many,
        &no_line_ends,
        &controls,
        &long_marker,
        &empty_lines,
    ] {
        for size in [1000, usize::MAX] {
            let mut capture = LogCapture::new(SMALL);
            for piece in log.chunks(size) {
                capture.push(piece);
                // The text on its way is a fixed 8 KiB, three times as much when made visible, rounded up by its growth.
                let most = 2 * SMALL.head
                    + 4 * (SMALL.tail + 1)
                    + 3 * SMALL.report
                    + 2 * MAX_LINE
                    + 64 * 1024;
                assert!(capture.held() <= most, "{} > {most}", capture.held());
            }
        }
    }
}

#[test]
fn the_excerpt_is_the_end_of_the_log() {
    let captured = capture(b"one\ntwo\nthree\nfour\n\n", SMALL);
    assert_eq!(captured.excerpt(2, 100), "three\nfour");
    assert_eq!(captured.excerpt(9, 100), "one\ntwo\nthree\nfour");
    assert_eq!(captured.excerpt(9, 11), "three\nfour");
    assert_eq!(captured.excerpt(9, 3), "our");
    assert_eq!(captured.excerpt(0, 100), "");
    let long = capture(&b"a line\n".repeat(1000), SMALL);
    assert!(long.log.omitted_bytes.is_some());
    assert_eq!(long.excerpt(3, 100), "a line\na line\na line");
}

/// What a log may be made of: text, its ends, colours, broken characters, blocks, parts of blocks, very long lines.
fn piece() -> impl Strategy<Value = Vec<u8>> {
    prop_oneof![
        4 => any::<Vec<u8>>(),
        4 => "[a-zäöü€😀]{0,40}".prop_map(String::into_bytes),
        4 => "\n{1,3}|\r|\r\n|\t|\u{1b}\\[[0-9;]{0,4}m|\u{1b}\\]0;t\u{7}".prop_map(String::into_bytes),
        2 => prop::collection::vec(any::<u8>(), 0..2000).prop_map(|report| block(&report)),
        2 => (prop::collection::vec(any::<u8>(), 0..2000), any::<prop::sample::Index>()).prop_map(|(report, at)| {
            let mut block = block(&report);
            block.truncate(at.index(block.len()));
            block
        }),
        1 => Just(none(NotSent::Missing)),
        1 => (1000..2500_usize).prop_map(|length| vec![b'x'; length]),
        1 => (900..1200_usize).prop_map(|length| [PREFIX.as_bytes(), &vec![b'x'; length]].concat()),
    ]
}

proptest! {
    #[test]
    fn however_the_bytes_come_the_same_is_kept(
        pieces in prop::collection::vec(piece(), 0..12),
        mut cuts in prop::collection::vec(any::<prop::sample::Index>(), 0..20),
        limits in (0..200_usize, 0..400_usize, 0..3000_usize),
    ) {
        let log = pieces.concat();
        let limits = Limits { head: limits.0, tail: limits.1, report: limits.2 };
        let at_once = capture(&log, limits);

        let mut by_bytes = LogCapture::new(limits);
        for byte in &log {
            by_bytes.push(&[*byte]);
        }
        prop_assert_eq!(&by_bytes.finish(), &at_once);

        let mut in_pieces = LogCapture::new(limits);
        cuts.sort_by_key(|cut| cut.index(log.len() + 1));
        let mut from = 0;
        for cut in cuts {
            let to = cut.index(log.len() + 1);
            in_pieces.push(&log[from..to]);
            from = to;
        }
        in_pieces.push(&log[from..]);
        prop_assert_eq!(&in_pieces.finish(), &at_once);

        let tail = at_once.log.tail.as_deref().unwrap_or("");
        if at_once.log.omitted_bytes.is_some() {
            prop_assert!(at_once.log.head.len() <= limits.head && tail.len() <= limits.tail);
        } else {
            prop_assert!(at_once.log.head.len() <= limits.head + limits.tail && tail.is_empty());
        }
    }

    #[test]
    fn a_report_arrives_as_it_was_written_wherever_it_stands(
        before in prop::collection::vec(piece(), 0..6).prop_map(|pieces| pieces.concat()),
        report in prop::collection::vec(any::<u8>(), 0..5000),
        after in "[a-z\n]{0,50}",
    ) {
        let log = [before.as_slice(), &block(&report), after.as_bytes()].concat();
        let limits = Limits { report: 5000, ..SMALL };
        prop_assert_eq!(capture(&log, limits).report, Ok(report));
    }
}
