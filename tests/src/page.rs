//! A page of the documentation, and what its code blocks ask of whoever follows it.
//!
//! Each block is fenced, with its language. What cannot be seen from a block stands in an HTML comment above it, which readers do not see:
//! `<!-- file: NAME -->`, `<!-- in the background, until: TEXT -->`, `<!-- given: COMMANDS -->` (what the reader is assumed to have done)
//! and `<!-- not run: REASON -->`.

mod session;

pub use session::{Session, follow};

/// A fenced block with what the comments above it say.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Block {
    /// The line of its fence, from 1.
    pub line: usize,
    /// What the fence says; empty for an indented block, which can say nothing.
    pub language: String,
    /// Its text.
    pub text: String,
    /// The file that it is saved as.
    pub file: Option<String>,
    /// What it prints once it may be left to itself.
    pub background: Option<String>,
    /// Commands that come before it.
    pub given: Vec<String>,
    /// Why it is not run.
    pub not_run: Option<String>,
}

/// What is done with a block.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Step {
    /// Runs it to its end.
    Run(String),
    /// Starts it, and goes on when it has printed this text.
    Background(String, String),
    /// Runs each command, and compares what it prints.
    Compare(Vec<(String, String)>),
    /// Writes it to this file.
    Write(String, String),
    /// Leaves it out, for this reason.
    Skip(String),
}

/// Every block of a page, in its order.
pub fn blocks(page: &str) -> Vec<Block> {
    let mut blocks = Vec::new();
    let mut next = Block::default();
    let mut after_blank = true;
    let mut lines = page.lines().enumerate();
    while let Some((number, line)) = lines.next() {
        if let Some(language) = line.strip_prefix("```") {
            next.line = number + 1;
            language.trim().clone_into(&mut next.language);
            for (_, line) in lines.by_ref().take_while(|(_, line)| *line != "```") {
                next.text.push_str(line);
                next.text.push('\n');
            }
            blocks.push(std::mem::take(&mut next));
        } else if line.starts_with("    ") && after_blank {
            next.line = number + 1;
            next.text = format!("{}\n", line.trim());
            blocks.push(std::mem::take(&mut next));
        } else if let Some(comment) = line.strip_prefix("<!--") {
            let comment = comment.strip_suffix("-->").unwrap_or(comment).trim();
            directive(&mut next, comment);
        } else if !line.is_empty() {
            next = Block::default();
        }
        // The lines of one indented block count once.
        after_blank = line.is_empty();
    }
    blocks
}

fn directive(block: &mut Block, comment: &str) {
    let Some((word, value)) = comment.split_once(':') else {
        if comment == "not run" {
            block.not_run = Some(String::new());
        }
        return;
    };
    let value = value.trim().to_owned();
    match word {
        "not run" => block.not_run = Some(value),
        "file" => block.file = Some(value),
        "in the background, until" => block.background = Some(value),
        "given" => block.given.push(value),
        _ => {}
    }
}

impl Block {
    /// What is done with it.
    ///
    /// # Errors
    /// Where nothing says what, or why nothing is.
    pub fn step(&self) -> Result<Step, String> {
        if let Some(reason) = &self.not_run {
            return if reason.is_empty() {
                Err("a marker without a reason".to_owned())
            } else {
                Ok(Step::Skip(reason.clone()))
            };
        }
        if let Some(name) = &self.file {
            return Ok(Step::Write(name.clone(), self.text.clone()));
        }
        let text = self.text.clone();
        match (self.language.as_str(), &self.background) {
            ("sh" | "bash", Some(until)) => Ok(Step::Background(text, until.clone())),
            ("sh" | "bash", None) => Ok(Step::Run(text)),
            ("console", None) => Ok(Step::Compare(commands(&text)?)),
            ("", _) => Err(
                "an indented block or a fence without a language: nothing says what it is"
                    .to_owned(),
            ),
            (language, _) => Err(format!(
                "`{language}` is neither run nor a file, and no marker says why"
            )),
        }
    }
}

/// The commands of a console block, behind `$ `, each with what it prints.
fn commands(text: &str) -> Result<Vec<(String, String)>, String> {
    let mut commands: Vec<(String, String)> = Vec::new();
    for line in text.lines() {
        if let Some(command) = line.strip_prefix("$ ") {
            commands.push((command.to_owned(), String::new()));
        } else {
            let (_, output) = commands
                .last_mut()
                .ok_or("a console block begins with `$ ` and a command")?;
            output.push_str(line);
            output.push('\n');
        }
    }
    Ok(commands)
}

/// Whether what was printed is what a page shows; there `…` stands for anything within a line, and for any lines where it is one.
pub fn matches(shown: &str, printed: &str) -> bool {
    let shown: Vec<&str> = shown.trim_end().lines().collect();
    let printed: Vec<&str> = printed.trim_end().lines().collect();
    lines_match(&shown, &printed)
}

fn lines_match(shown: &[&str], printed: &[&str]) -> bool {
    match shown.split_first() {
        None => printed.is_empty(),
        Some((&"…", rest)) => (0..=printed.len()).any(|from| lines_match(rest, &printed[from..])),
        Some((first, rest)) => printed.split_first().is_some_and(|(line, others)| {
            line_matches(first, line.trim_end()) && lines_match(rest, others)
        }),
    }
}

fn line_matches(shown: &str, printed: &str) -> bool {
    match shown.split_once('…') {
        None => shown == printed,
        Some((before, after)) => printed.strip_prefix(before).is_some_and(|rest| {
            rest.char_indices()
                .map(|(at, _)| at)
                .chain([rest.len()])
                .any(|at| line_matches(after, &rest[at..]))
        }),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn step(page: &str) -> Result<Step, String> {
        let [block] = blocks(page).try_into().expect("one block");
        block.step()
    }

    #[test]
    fn what_stands_above_a_block_goes_with_that_block_alone() {
        let page = "<!-- file: a.yaml -->\n\n```yaml\na: 1\n```\n\n```sh\ntrue\n```\n";
        assert_eq!(
            blocks(page)[0].step(),
            Ok(Step::Write("a.yaml".into(), "a: 1\n".into()))
        );
        assert_eq!(blocks(page)[1].step(), Ok(Step::Run("true\n".into())));
        let text = "<!-- not run: dear -->\ntext between\n\n```sh\ntrue\n```\n";
        assert_eq!(step(text), Ok(Step::Run("true\n".into())));
    }

    #[test]
    fn a_block_is_run_or_says_why_not() {
        assert!(step("```yaml\na: 1\n```\n").is_err());
        assert!(step("```\nmaestro up\n```\n").is_err());
        assert!(step("text\n\n    maestro up\n    maestro ps\n").is_err());
        assert!(step("<!-- not run -->\n```sh\ntrue\n```\n").is_err());
        assert!(step("<!-- not run: -->\n```sh\ntrue\n```\n").is_err());
        assert_eq!(
            step("<!-- not run: needs a cluster -->\n```sh\ntrue\n```\n"),
            Ok(Step::Skip("needs a cluster".into()))
        );
    }

    #[test]
    fn what_is_printed_is_compared_but_for_the_dots() {
        assert!(matches("alive: …, for … s\n", "alive: triage, for 3.5 s\n"));
        assert!(!matches("alive: … s\n", "dead: 3 s\n"));
        assert!(!matches("a\n", "a\nb\n"));
        assert!(matches("a\n…\nd\n", "a\nb\nc\nd\n"));
        assert!(!matches("a\n…\nd\n", "a\nb\nc\n"));
    }
}
