//! The scripts of a `package.json` as words: enough of a shell's grammar for how test commands are written, and nothing
//! that would have to be run by one.

/// One simple command of a script: variables set for it, and its words.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub(super) struct Simple {
    pub(super) variables: Vec<(String, String)>,
    pub(super) words: Vec<String>,
}

/// The simple commands of a script, in order. What one is piped into only changes what is printed, and is left out.
pub(super) fn commands(script: &str) -> Vec<Simple> {
    let mut found = Vec::new();
    let mut words: Vec<String> = Vec::new();
    let mut word: Option<String> = None;
    let mut piped = false;
    let mut quote = None;
    let mut characters = script.chars().peekable();
    let mut end = |words: &mut Vec<String>, piped: bool| {
        let taken = std::mem::take(words);
        if !taken.is_empty() && !piped {
            found.push(simple(taken));
        }
    };
    while let Some(c) = characters.next() {
        match (quote, c) {
            (Some(open), c) if c == open => quote = None,
            (Some('"') | None, '\\') => {
                word.get_or_insert_default().extend(characters.next());
            }
            (None, '\'' | '"') => {
                quote = Some(c);
                word.get_or_insert_default();
            }
            (None, ' ' | '\t' | '\n') => words.extend(word.take()),
            (None, '&' | ';' | '|') => {
                words.extend(word.take());
                end(&mut words, piped);
                let doubled = characters.next_if_eq(&c).is_some();
                piped = c == '|' && !doubled;
            }
            (_, c) => word.get_or_insert_default().push(c),
        }
    }
    words.extend(word.take());
    end(&mut words, piped);
    found
}

fn simple(words: Vec<String>) -> Simple {
    let mut command = Simple::default();
    for word in words {
        let set = word.split_once('=').filter(|(name, _)| {
            command.words.is_empty()
                && !name.is_empty()
                && name.chars().all(|c| c == '_' || c.is_ascii_alphanumeric())
        });
        match set {
            Some((name, value)) => command.variables.push((name.to_owned(), value.to_owned())),
            // Where it prints to is not what it does.
            None if word.starts_with('>') || word.starts_with("2>") => {}
            None => command.words.push(word),
        }
    }
    command
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_script_is_taken_apart_as_a_shell_would() {
        let found = commands(
            "npm run lint && TZ=UTC NODE_ENV=test tape 'test/**/*.js' --opt=\"a b\" | tap-spec; echo done",
        );
        assert_eq!(found.len(), 3);
        assert_eq!(
            found[1],
            Simple {
                variables: vec![
                    ("TZ".into(), "UTC".into()),
                    ("NODE_ENV".into(), "test".into())
                ],
                words: vec!["tape".into(), "test/**/*.js".into(), "--opt=a b".into()],
            }
        );
        assert_eq!(found[2].words, ["echo", "done"]);
    }
}
