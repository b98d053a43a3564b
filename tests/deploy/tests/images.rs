//! The Dockerfile and what its stages run. That they build is seen with `deploy/image.sh` and an engine; here it is read.

use std::collections::BTreeMap;
use std::process::Command;

use maestro_deploy_tests::{repository, text};

/// An instruction: its word and the rest, with continued lines joined.
type Instruction = (String, String);

fn instructions(dockerfile: &str) -> Vec<Instruction> {
    let lines = dockerfile
        .lines()
        .filter(|line| !line.trim_start().starts_with('#'));
    let joined = lines.fold(String::new(), |text, line| match line.strip_suffix('\\') {
        Some(begun) => text + begun,
        None => text + line + "\n",
    });
    joined
        .lines()
        .filter_map(|line| line.split_once(' '))
        .map(|(word, rest)| (word.to_owned(), rest.trim().to_owned()))
        .collect()
}

/// The stages by name: the base of each, and its instructions.
fn stages(all: &[Instruction]) -> BTreeMap<String, (String, Vec<Instruction>)> {
    let mut stages: BTreeMap<String, (String, Vec<Instruction>)> = BTreeMap::new();
    let mut current = None;
    for (word, rest) in all {
        if word == "FROM" {
            let (base, name) = rest.split_once(" AS ").expect("every stage has a name");
            stages.insert(name.to_owned(), (base.to_owned(), Vec::new()));
            current = Some(name.to_owned());
        } else if let Some(stage) = current.as_ref().and_then(|name| stages.get_mut(name)) {
            stage.1.push((word.clone(), rest.clone()));
        }
    }
    stages
}

fn said<'a>(stage: &'a [Instruction], word: &str) -> Vec<&'a str> {
    let of_word = stage.iter().filter(|(name, _)| name == word);
    of_word.map(|(_, rest)| rest.as_str()).collect()
}

#[test]
fn each_image_has_its_stage_its_base_and_a_user_that_is_not_root() {
    let all = instructions(&text("Dockerfile"));
    let stages = stages(&all);
    let names: Vec<&String> = stages.keys().collect();
    assert_eq!(names, ["build", "entry", "heal", "worker"]);
    for (name, base, entry) in [
        ("entry", "scratch", r#"["/maestro-entry"]"#),
        ("worker", "scratch", r#"["maestro"]"#),
        ("heal", "${HEAL_BASE}", r#"["maestro"]"#),
    ] {
        let (of, stage) = &stages[name];
        assert_eq!(of, base);
        assert_eq!(said(stage, "USER"), ["65532:65532"], "{name}");
        assert_eq!(said(stage, "ENTRYPOINT"), [entry], "{name}");
        assert!(
            said(stage, "EXPOSE").is_empty(),
            "{name}: no worker listens"
        );
    }
    // Without --target an engine makes the last one.
    let last = all.iter().rfind(|(word, _)| word == "FROM").unwrap();
    assert!(last.1.ends_with(" AS worker"));
    // Where the template of the test Job looks for it.
    let job = text("workers/environment/templates/test-job.yaml");
    assert!(job.contains("command: [/maestro-entry, install,"));
    for name in ["worker", "entry"] {
        let copied = said(&stages[name].1, "COPY");
        assert!(
            copied.iter().any(|copy| copy.ends_with(" /maestro-entry")),
            "{name}"
        );
    }
}

#[test]
fn bases_can_be_named_and_the_usual_ones_are_pinned_by_a_tag() {
    let all = instructions(&text("Dockerfile"));
    let bases: BTreeMap<&str, &str> = all
        .iter()
        .take_while(|(word, _)| word == "ARG")
        .map(|(_, rest)| rest.split_once('=').unwrap())
        .collect();
    let names: Vec<&&str> = bases.keys().collect();
    assert_eq!(names, [&"BUILD_BASE", &"HEAL_BASE"]);
    for base in bases.values() {
        let (_, tag) = base
            .rsplit('/')
            .next()
            .unwrap()
            .split_once(':')
            .expect("a tag");
        assert_ne!(tag, "latest");
    }
    // The compiler that the project is built with.
    let wanted = text("Cargo.toml");
    let wanted = wanted
        .lines()
        .find_map(|line| line.strip_prefix("rust-version = "))
        .unwrap();
    assert!(bases["BUILD_BASE"].contains(&format!("rust:{}", wanted.trim_matches('"'))));
}

#[test]
fn no_secret_is_taken_along_and_only_what_is_named_goes_to_the_engine() {
    let all = instructions(&text("Dockerfile"));
    for (word, rest) in &all {
        let rest = rest.to_ascii_uppercase();
        for secret in ["PASSWORD", "TOKEN", "SECRET", "REDIS_URL", "CREDENTIAL"] {
            assert!(!rest.contains(secret), "{word} {rest}");
        }
        assert_ne!(
            word, "ADD",
            "what is fetched is fetched by a package manager that checks it"
        );
    }
    let ignored = text(".dockerignore");
    let rules: Vec<&str> = ignored
        .lines()
        .filter(|line| !line.is_empty() && !line.starts_with('#'))
        .collect();
    assert_eq!(rules[0], "*");
    let taken: Vec<&str> = rules
        .iter()
        .filter_map(|rule| rule.strip_prefix('!'))
        .collect();
    for path in &taken {
        assert!(repository().join(path).exists(), "{path}");
        assert!(!path.starts_with('.'), "{path}");
    }
    // Every crate, or cargo finds no workspace; and what crates include from elsewhere.
    let workspace = text("Cargo.toml");
    let members = workspace
        .lines()
        .skip_while(|line| *line != "members = [")
        .skip(1)
        .take_while(|line| *line != "]");
    for member in members {
        let member = member.trim().trim_end_matches(',').trim_matches('"');
        let is_taken = taken
            .iter()
            .any(|path| member == *path || member.starts_with(&format!("{path}/")));
        assert!(is_taken, "{member}");
    }
}

#[test]
fn the_script_lays_out_a_root_with_two_users_and_certificates_and_no_program() {
    let root = std::path::PathBuf::from(env!("CARGO_TARGET_TMPDIR")).join("image-root");
    drop(std::fs::remove_dir_all(&root));
    let script = repository().join("deploy/image.sh");
    let output = Command::new("sh")
        .arg(script)
        .arg("root")
        .arg(&root)
        .output()
        .expect("sh");
    assert!(
        output.status.success(),
        "{}",
        String::from_utf8_lossy(&output.stderr)
    );
    let passwd = std::fs::read_to_string(root.join("etc/passwd")).unwrap();
    let users: Vec<&str> = passwd
        .lines()
        .filter_map(|line| line.split(':').next())
        .collect();
    assert_eq!(users, ["root", "maestro"]);
    assert!(passwd.lines().all(|line| line.ends_with(":/sbin/nologin")));
    let authorities =
        std::fs::read_to_string(root.join("etc/ssl/certs/ca-certificates.crt")).unwrap();
    assert!(authorities.contains("BEGIN CERTIFICATE"));
    for none in ["bin", "usr", "sbin", "lib"] {
        assert!(!root.join(none).exists(), "{none}");
    }
}

#[test]
fn a_wrong_call_of_the_script_says_how_it_is_called() {
    let script = repository().join("deploy/image.sh");
    for arguments in [[].as_slice(), &["root"], &["heal", "now"], &["bake"]] {
        let output = Command::new("sh")
            .arg(&script)
            .args(arguments)
            .output()
            .expect("sh");
        assert_eq!(output.status.code(), Some(64), "{arguments:?}");
    }
}
