//! One character too few or too many, near the line that the interpreter names. Every guess must make the whole
//! file parse, and the likelier come first.

use super::Repaired;
use crate::source::Source;
use crate::source::faults::FaultKind;
use crate::strategies::rank;

/// A way of writing the file with one change.
struct Guess {
    text: String,
    what: String,
}

pub(super) fn repairs(text: &str, line: Option<u32>) -> Vec<Repaired> {
    let lines = Lines::of(text);
    let mut sound: Vec<Repaired> = Vec::new();
    for at in suspects(text, line, &lines) {
        let groups: [Vec<Guess>; 6] = [
            colon(&lines, at),
            quote(&lines, at),
            bracket(&lines, at),
            superfluous(&lines, at),
            comparison(&lines, at),
            comma(&lines, at),
        ];
        for group in groups {
            for guess in group {
                if super::is_sound(&guess.text)
                    && sound.iter().all(|other| other.text != guess.text)
                {
                    let rank = rank::ONE_CHARACTER + u32::try_from(sound.len()).unwrap_or(9);
                    sound.push(Repaired {
                        text: guess.text,
                        what: guess.what,
                        rank,
                    });
                }
            }
        }
    }
    sound
}

/// The lines worth a look: the one that the interpreter names, those before it, and those that the grammar stumbles
/// over.
fn suspects(text: &str, line: Option<u32>, lines: &Lines<'_>) -> Vec<usize> {
    let mut found = Vec::new();
    let mut add = |at: usize| {
        if at < lines.of.len() && !found.contains(&at) {
            found.push(at);
        }
    };
    if let Some(at) = line
        .and_then(|line| usize::try_from(line).ok())
        .and_then(|line| line.checked_sub(1))
    {
        add(at);
        if let Some(before) = (0..at)
            .rev()
            .find(|&before| !lines.code(before).trim().is_empty())
        {
            add(before);
        }
    }
    let source = Source::parse(text);
    let rows = source
        .iter()
        .flat_map(Source::faults)
        .filter(|fault| fault.kind == FaultKind::Unparsable);
    for row in rows.map(|fault| fault.node.start_position().row).take(4) {
        add(row);
        if let Some(before) = row.checked_sub(1) {
            add(before);
        }
    }
    found
}

/// A text by its lines, with where each begins.
struct Lines<'t> {
    text: &'t str,
    of: Vec<(usize, &'t str)>,
}

impl<'t> Lines<'t> {
    fn of(text: &'t str) -> Self {
        let mut start = 0;
        let mut of = Vec::new();
        for line in text.split_inclusive('\n') {
            of.push((start, line.trim_end_matches(['\n', '\r'])));
            start += line.len();
        }
        Self { text, of }
    }

    /// A line without its comment and trailing white space.
    fn code(&self, at: usize) -> &'t str {
        let line = self.of.get(at).map_or("", |(_, line)| line);
        let mut quote = None;
        for (index, character) in line.char_indices() {
            match (quote, character) {
                (None, '#') => return line[..index].trim_end(),
                (None, '\'' | '"') => quote = Some(character),
                (Some(open), c) if c == open => quote = None,
                _ => {}
            }
        }
        line.trim_end()
    }

    /// The byte at which a line's code ends.
    fn end(&self, at: usize) -> usize {
        self.of
            .get(at)
            .map_or(0, |(start, _)| start + self.code(at).len())
    }

    fn insert(&self, at: usize, what: &str) -> String {
        format!("{}{what}{}", &self.text[..at], &self.text[at..])
    }

    fn without(&self, at: usize, length: usize) -> String {
        format!("{}{}", &self.text[..at], &self.text[at + length..])
    }
}

/// The words with which a statement begins that a colon ends.
const HEADERS: &[&str] = &[
    "def", "class", "if", "elif", "else", "for", "while", "try", "except", "finally", "with",
    "async", "match", "case",
];

fn colon(lines: &Lines<'_>, at: usize) -> Vec<Guess> {
    let code = lines.code(at);
    let word: String = code
        .trim_start()
        .chars()
        .take_while(|c| c.is_alphabetic())
        .collect();
    let continues = code.trim_start().starts_with([')', ']', '}']);
    if code.ends_with(':') || !(HEADERS.contains(&word.as_str()) || continues) {
        return Vec::new();
    }
    vec![Guess {
        text: lines.insert(lines.end(at), ":"),
        what: format!("a colon is missing at the end of line {}", at + 1),
    }]
}

fn quote(lines: &Lines<'_>, at: usize) -> Vec<Guess> {
    let (start, line) = lines.of[at];
    let mut open: Option<char> = None;
    let mut escaped = false;
    for character in line.chars() {
        match (open, character) {
            _ if escaped => escaped = false,
            (Some(_), '\\') => escaped = true,
            (None, '#') => break,
            (None, '\'' | '"') => open = Some(character),
            (Some(quote), c) if c == quote => open = None,
            _ => {}
        }
    }
    let Some(quote) = open else {
        return Vec::new();
    };
    // What closes around the string stood outside it.
    let mut ends = Vec::new();
    let mut end = line.trim_end().len();
    ends.push(end);
    while let Some(last) = line[..end]
        .chars()
        .next_back()
        .filter(|c| ")]},:;".contains(*c))
    {
        end -= last.len_utf8();
        ends.push(end);
    }
    ends.reverse();
    // Or further in, where a string ends in front of what closes or separates.
    let first = line.find(quote).map_or(line.len(), |at| at + 1);
    for (end, _) in line
        .char_indices()
        .filter(|(end, c)| *end > first && ")]},:".contains(*c))
    {
        if !ends.contains(&end) {
            ends.push(end);
        }
    }
    ends.into_iter()
        .map(|end| Guess {
            text: lines.insert(start + end, &quote.to_string()),
            what: format!("a quote is missing in line {}", at + 1),
        })
        .collect()
}

/// The bracket that is open where the code of a line ends, of those opened on it or up to twenty lines before.
fn open_bracket(lines: &Lines<'_>, at: usize) -> Option<char> {
    let mut stack = Vec::new();
    for line in at.saturating_sub(20)..=at {
        let code = lines.code(line);
        // A statement that starts a block starts over.
        let word: String = code
            .trim_start()
            .chars()
            .take_while(|c| c.is_alphabetic())
            .collect();
        if matches!(word.as_str(), "def" | "class") {
            stack.clear();
        }
        let mut quote = None;
        for character in code.chars() {
            match (quote, character) {
                (None, '\'' | '"') => quote = Some(character),
                (Some(open), c) if c == open => quote = None,
                (None, '(') => stack.push(')'),
                (None, '[') => stack.push(']'),
                (None, '{') => stack.push('}'),
                (None, ')' | ']' | '}') => {
                    stack.pop();
                }
                _ => {}
            }
        }
    }
    stack.pop()
}

fn bracket(lines: &Lines<'_>, at: usize) -> Vec<Guess> {
    let Some(closing) = open_bracket(lines, at) else {
        return Vec::new();
    };
    let end = lines.end(at);
    let code = lines.code(at);
    let mut places = Vec::new();
    if code.ends_with(':') {
        places.push(end - 1);
    }
    places.push(end);
    places
        .into_iter()
        .map(|place| Guess {
            text: lines.insert(place, &closing.to_string()),
            what: format!(
                "a closing `{closing}` is missing at the end of line {}",
                at + 1
            ),
        })
        .collect()
}

/// A closing bracket, or a doubled colon or comma, that nothing asked for.
fn superfluous(lines: &Lines<'_>, at: usize) -> Vec<Guess> {
    let (start, _) = lines.of[at];
    let code = lines.code(at);
    let mut guesses = Vec::new();
    for (index, character) in code.char_indices().collect::<Vec<_>>().into_iter().rev() {
        let doubled = ":,.".contains(character) && code[..index].ends_with(character);
        if ")]}".contains(character) || doubled {
            guesses.push(Guess {
                text: lines.without(start + index, character.len_utf8()),
                what: format!("a `{character}` too many in line {}", at + 1),
            });
        }
    }
    guesses
}

/// `if a = b:` was meant to compare.
fn comparison(lines: &Lines<'_>, at: usize) -> Vec<Guess> {
    let (start, _) = lines.of[at];
    let code = lines.code(at);
    let word: String = code
        .trim_start()
        .chars()
        .take_while(|c| c.is_alphabetic())
        .collect();
    if !matches!(word.as_str(), "if" | "elif" | "while" | "assert") {
        return Vec::new();
    }
    let single: Vec<usize> = code
        .match_indices('=')
        .map(|(index, _)| index)
        .filter(|&index| {
            let before = code[..index].chars().next_back();
            !before.is_some_and(|c| "=!<>:+-*/%&|^".contains(c))
                && !code[index + 1..].starts_with('=')
        })
        .collect();
    match single.as_slice() {
        [index] => vec![Guess {
            text: lines.insert(start + index, "="),
            what: format!("line {} assigns where it compares", at + 1),
        }],
        _ => Vec::new(),
    }
}

/// A comma between two expressions: offered only where a single place makes the file parse.
fn comma(lines: &Lines<'_>, at: usize) -> Vec<Guess> {
    let (start, _) = lines.of[at];
    let code = lines.code(at);
    let mut places: Vec<usize> = code
        .char_indices()
        .filter(|(index, character)| {
            let before = code[..*index].chars().next_back();
            *character == ' '
                && before.is_some_and(|c| c.is_alphanumeric() || "_)]}'\"".contains(c))
        })
        .map(|(index, _)| index)
        .collect();
    places.push(code.len());
    let mut sound: Vec<Guess> = places
        .into_iter()
        .map(|place| Guess {
            text: lines.insert(start + place, ","),
            what: format!("a comma is missing in line {}", at + 1),
        })
        .filter(|guess| super::is_sound(&guess.text))
        .collect();
    if sound.len() == 1 {
        std::mem::take(&mut sound)
    } else {
        Vec::new()
    }
}
