//! A dashboard as a picture: every panel where the dashboard has it, with what Prometheus says of each of its lines. It stands in for Grafana,
//! which is no package of Debian's.

use std::fmt::Write as _;

use maestro_monitoring::{Prometheus, Series};

use crate::expressions::{Dashboard, Panel};

/// A dashboard is so many columns wide, and each of its rows so high, in pixels.
const COLUMN: f64 = 50.0;
const ROW: f64 = 34.0;
/// Room for a panel's title.
const TITLE: f64 = 24.0;
const COLOURS: [&str; 6] = [
    "#3274d9", "#e0752d", "#299c46", "#a352cc", "#c4162a", "#8f8f2f",
];

/// The picture as SVG, and how many lines each panel has in it, by its title.
pub(crate) fn picture(
    dashboard: &Dashboard,
    prometheus: &Prometheus,
    time: (f64, f64),
) -> (String, Vec<(String, usize)>) {
    let bottom = |panel: &Panel| panel.y + panel.height;
    let height = dashboard.panels.iter().map(bottom).fold(0.0, f64::max) * ROW;
    let width = 24.0 * COLUMN;
    let mut svg = format!(
        "<svg xmlns=\"http://www.w3.org/2000/svg\" viewBox=\"0 0 {width} {height}\" font-family=\"sans-serif\" font-size=\"12\">\n<rect width=\"{width}\" height=\"{height}\" fill=\"#f4f5f5\"/>\n"
    );
    let mut lines = Vec::new();
    for panel in &dashboard.panels {
        let step = ((time.1 - time.0) / 200.0).max(1.0).round();
        let series: Vec<_> = panel
            .expressions
            .iter()
            .flat_map(|expression| prometheus.range(expression, time, step))
            .filter(|series| !series.is_empty())
            .collect();
        draw(&mut svg, panel, &series, time);
        if !panel.expressions.is_empty() {
            lines.push((panel.title.clone(), series.len()));
        }
    }
    svg.push_str("</svg>\n");
    (svg, lines)
}

fn draw(svg: &mut String, panel: &Panel, series: &[Series], (from, to): (f64, f64)) {
    let (x, y) = (panel.x * COLUMN, panel.y * ROW);
    let (width, height) = (panel.width * COLUMN, panel.height * ROW);
    let title = panel.title.replace('&', "&amp;").replace('<', "&lt;");
    if panel.expressions.is_empty() {
        text(svg, (x + 8.0, y + 22.0), "#222", &format!("▾ {title}"));
        return;
    }
    // A String takes whatever is written.
    let _ = writeln!(
        svg,
        "<rect x=\"{:.0}\" y=\"{:.0}\" width=\"{:.0}\" height=\"{:.0}\" fill=\"#fff\" stroke=\"#ddd\"/>",
        x + 3.0,
        y + 3.0,
        width - 6.0,
        height - 6.0
    );
    text(svg, (x + 10.0, y + 19.0), "#444", &title);
    let values = || series.iter().flatten().map(|(_, value)| *value);
    if panel.is_one_number {
        let last = series.first().and_then(|series| series.last());
        let last = last.map_or("no data".to_owned(), |(_, value)| short(*value));
        let _ = writeln!(
            svg,
            "<text x=\"{:.0}\" y=\"{:.0}\" font-size=\"28\" text-anchor=\"middle\" fill=\"#299c46\">{last}</text>",
            x + width / 2.0,
            y + height / 2.0 + 20.0
        );
        return;
    }
    let most = values().fold(0.0, f64::max);
    text(svg, (x + 10.0, y + TITLE + 14.0), "#999", &short(most));
    let (left, top) = (x + 12.0, y + TITLE + 18.0);
    let (across, down) = (width - 24.0, height - TITLE - 30.0);
    for (number, series) in series.iter().enumerate() {
        let mut points = String::new();
        for (time, value) in series {
            let right = (time - from) / (to - from).max(1.0) * across;
            let up = if most > 0.0 { value / most * down } else { 0.0 };
            let _ = write!(points, "{:.1},{:.1} ", left + right, top + down - up);
        }
        let colour = COLOURS[number % COLOURS.len()];
        let _ = writeln!(
            svg,
            "<polyline points=\"{}\" fill=\"none\" stroke=\"{colour}\" stroke-width=\"1.3\"/>",
            points.trim_end()
        );
    }
}

fn text(svg: &mut String, (x, y): (f64, f64), colour: &str, text: &str) {
    let _ = writeln!(
        svg,
        "<text x=\"{x:.0}\" y=\"{y:.0}\" fill=\"{colour}\">{text}</text>"
    );
}

fn short(value: f64) -> String {
    if value.fract() == 0.0 {
        format!("{value}")
    } else {
        format!("{value:.2}")
    }
}
