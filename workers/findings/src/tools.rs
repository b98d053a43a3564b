//! Tools by name: what each is, and by which of its names it goes here.

use maestro_protocol::error::ErrorKind;

/// The name by which a tool goes, from the one by which its report calls it.
pub(crate) fn name(said: &str) -> String {
    let said = said.trim().to_lowercase();
    match said.as_str() {
        "typescript" | "typescript compiler" => "tsc".to_owned(),
        _ => said,
    }
}

/// What a finding of a tool is. Rust's compiler has codes for what does not compile (`E0308`) and names for what it only
/// minds (`unused_variables`).
pub(crate) fn kind(tool: &str, rule: Option<&str>) -> ErrorKind {
    match tool {
        "mypy" | "tsc" | "pyright" | "basedpyright" | "pyre" | "pytype" | "pyrefly" | "ty"
        | "flow" => ErrorKind::TypeError,
        "rustc" if rule.is_some_and(|rule| !is_code(rule)) => ErrorKind::LintError,
        "rustc" | "cargo" | "javac" | "gcc" | "g++" | "clang" | "clang++" | "kotlinc"
        | "scalac" | "csc" | "msvc" => ErrorKind::BuildError,
        _ => ErrorKind::LintError,
    }
}

fn is_code(rule: &str) -> bool {
    rule.strip_prefix('E')
        .is_some_and(|digits| digits.bytes().all(|byte| byte.is_ascii_digit()))
}
