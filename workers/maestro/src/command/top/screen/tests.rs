use std::process::{Command, Stdio};

const HELPER: &str = "command::top::screen::tests::takes_the_terminal_and_panics";

#[test]
#[ignore = "wants a terminal of its own; the other test gives it one"]
fn takes_the_terminal_and_panics() {
    let mut terminal = ratatui::try_init().unwrap();
    terminal
        .draw(|frame| frame.render_widget("taken", frame.area()))
        .unwrap();
    panic!("as a defect would");
}

#[test]
fn a_panic_is_told_on_a_terminal_that_is_as_it_was() {
    let own = std::env::current_exe().unwrap();
    let line = format!(
        "stty rows 24 cols 80; '{}' --ignored --exact {HELPER} --nocapture; stty -a; echo over",
        own.display()
    );
    // script(1) gives the command a pseudo-terminal.
    let run = Command::new("script")
        .args(["--quiet", "--command", &line, "/dev/null"])
        .env("SHELL", "/bin/sh")
        .env("RUST_BACKTRACE", "0")
        .stdin(Stdio::null())
        .output()
        .unwrap();
    let said = String::from_utf8_lossy(&run.stdout);
    assert!(
        said.contains("\u{1b}[?1049h") && said.contains("taken"),
        "{said}"
    );
    let mut parser = vt100::Parser::new(60, 80, 0);
    parser.process(&run.stdout);
    let screen = parser.screen();
    assert!(!screen.alternate_screen() && !screen.hide_cursor());
    let text = screen.contents();
    assert!(
        text.contains("as a defect would") && text.contains("over"),
        "{text}"
    );
    assert!(
        text.contains(" icanon") && !text.contains("-icanon"),
        "{text}"
    );
}
