use super::*;
use crate::failure::Phase;
use crate::rules;

fn failure(line: &str) -> Failure {
    let (exception, message) = line.split_once(": ").unwrap_or(("", line));
    Failure {
        test: None,
        phase: Phase::Collection,
        exception: (!exception.is_empty()).then(|| exception.to_owned()),
        message: message.to_owned(),
        frames: Vec::new(),
        text: String::new(),
    }
}

#[test]
fn every_rule_does_what_its_example_says_and_only_once() {
    let mut wrong = Vec::new();
    for rule in rules::api() {
        let example = rule.example.as_ref().unwrap();
        let (about, said) = subject(&failure(&example.failure));
        if !trigger::calls(rule, &about, &said) {
            wrong.push(format!("{}: not called for by {:?}", rule.id, about));
            continue;
        }
        match port_for(&example.before, &about, &said) {
            None => wrong.push(format!("{}: not ported", rule.id)),
            Some(text) if text != example.after => wrong.push(format!("{}: got\n{text}", rule.id)),
            Some(text) => {
                if Source::parse(text.as_str()).unwrap().broken() > 0 {
                    wrong.push(format!("{}: does not parse", rule.id));
                }
                // What is changed only where it failed does not fail so again.
                if !rule.here_only
                    && let Some(again) = port_for(&text, &about, &said)
                {
                    wrong.push(format!("{}: twice gives\n{again}", rule.id));
                }
            }
        }
    }
    assert!(wrong.is_empty(), "{}", wrong.join("\n---\n"));
}
