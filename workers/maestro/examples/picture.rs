//! Text of a terminal on standard input, colours included, as a picture (SVG) on standard output.
//!
//!     maestro top --once --size 100x30 --color always | cargo run --example picture -- 100x30 > top.svg
//!
//! The escape sequences are read by a terminal emulator, so whatever a terminal can show can be drawn; the colours are those below.

use std::fmt::Write as _;
use std::io::{self, Read, Write as _};

use vt100::{Cell, Color, Parser, Screen};

/// Of one letter, in pixels.
const WIDTH: f64 = 8.4;
const HEIGHT: f64 = 18.0;
const MARGIN: f64 = 14.0;

const PAPER: &str = "#16191f";
const INK: &str = "#d5d9e0";
/// The eight colours of ECMA-48: black, red, green, yellow, blue, magenta, cyan, white.
const COLOURS: [&str; 8] = [
    "#3b4048", "#f0716b", "#8cc570", "#e3c15c", "#6ba5e7", "#c58be0", "#57b6c2", "#d5d9e0",
];

fn main() -> io::Result<()> {
    let size = std::env::args()
        .nth(1)
        .unwrap_or_else(|| "80x24".to_owned());
    let parsed = size.split_once('x').and_then(|(columns, lines)| {
        Some((columns.parse::<u16>().ok()?, lines.parse::<u16>().ok()?))
    });
    let Some((columns, lines)) = parsed else {
        let sentence = format!("expected columns and lines such as 80x24, but found {size}");
        return Err(io::Error::new(io::ErrorKind::InvalidInput, sentence));
    };
    let mut text = Vec::new();
    io::stdin().read_to_end(&mut text)?;
    let mut parser = Parser::new(lines, columns, 0);
    // A line's end on a terminal is two characters; the last one would move everything up.
    let text = text.strip_suffix(b"\n").unwrap_or(&text);
    for line in text.split_inclusive(|byte| *byte == b'\n') {
        parser.process(line);
        if line.ends_with(b"\n") {
            parser.process(b"\r");
        }
    }
    io::stdout().write_all(picture(parser.screen(), columns, lines).as_bytes())
}

fn picture(screen: &Screen, columns: u16, lines: u16) -> String {
    let width = f64::from(columns) * WIDTH + 2.0 * MARGIN;
    let height = f64::from(lines) * HEIGHT + 2.0 * MARGIN;
    let mut svg = format!(
        "<svg xmlns=\"http://www.w3.org/2000/svg\" width=\"{width:.0}\" height=\"{height:.0}\" viewBox=\"0 0 {width:.1} {height:.1}\">\n\
         <rect width=\"100%\" height=\"100%\" rx=\"8\" fill=\"{PAPER}\"/>\n\
         <g font-family=\"ui-monospace, 'DejaVu Sans Mono', Menlo, Consolas, monospace\" font-size=\"14\" fill=\"{INK}\">\n"
    );
    for line in 0..lines {
        for run in runs(screen, line, columns) {
            draw(&mut svg, &run, line);
        }
    }
    svg.push_str("</g>\n</svg>\n");
    svg
}

/// Letters side by side that look the same.
struct Run {
    column: u16,
    columns: u16,
    text: String,
    look: Look,
}

#[derive(Clone, PartialEq)]
struct Look {
    ink: &'static str,
    bold: bool,
    dim: bool,
    inverse: bool,
}

impl Look {
    fn of(cell: &Cell) -> Self {
        let ink = match cell.fgcolor() {
            Color::Idx(index) => COLOURS[usize::from(index) % COLOURS.len()],
            Color::Default | Color::Rgb(..) => INK,
        };
        Self {
            ink,
            bold: cell.bold(),
            dim: cell.dim(),
            inverse: cell.inverse(),
        }
    }
}

fn runs(screen: &Screen, line: u16, columns: u16) -> Vec<Run> {
    let mut runs: Vec<Run> = Vec::new();
    for column in 0..columns {
        let Some(cell) = screen.cell(line, column) else {
            continue;
        };
        let look = Look::of(cell);
        let text = match cell.contents() {
            _ if cell.is_wide_continuation() => "",
            "" => " ",
            text => text,
        };
        match runs.last_mut() {
            Some(run) if run.look == look => {
                run.columns += 1;
                run.text.push_str(text);
            }
            _ => runs.push(Run {
                column,
                columns: 1,
                text: text.to_owned(),
                look,
            }),
        }
    }
    runs
}

fn draw(svg: &mut String, run: &Run, line: u16) {
    let left = MARGIN + f64::from(run.column) * WIDTH;
    let width = f64::from(run.columns) * WIDTH;
    let top = MARGIN + f64::from(line) * HEIGHT;
    let (look, mut ink) = (&run.look, run.look.ink);
    if look.inverse {
        ink = PAPER;
        let _ = writeln!(
            svg,
            "<rect x=\"{left:.1}\" y=\"{top:.1}\" width=\"{width:.1}\" height=\"{HEIGHT:.1}\" shape-rendering=\"crispEdges\" fill=\"{}\"/>",
            look.ink
        );
    }
    if run.text.trim().is_empty() {
        return;
    }
    let bold = if look.bold {
        " font-weight=\"bold\""
    } else {
        ""
    };
    let dim = if look.dim { " opacity=\"0.6\"" } else { "" };
    let text = run
        .text
        .replace('&', "&amp;")
        .replace('<', "&lt;")
        .replace('>', "&gt;");
    let base = top + HEIGHT * 0.75;
    let _ = writeln!(
        svg,
        "<text x=\"{left:.1}\" y=\"{base:.1}\" textLength=\"{width:.1}\" lengthAdjust=\"spacingAndGlyphs\" fill=\"{ink}\"{bold}{dim} xml:space=\"preserve\">{text}</text>"
    );
}
