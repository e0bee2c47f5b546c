//! What a measurement found, beside what it is compared with, and how people and programs are told.

use std::io::IsTerminal;

use comfy_table::{Cell, CellAlignment, Color, Table, presets};
use serde_json::json;

/// What a measurement should reach; it speaks of [`Figure::ratio`].
#[derive(Debug, Clone, Copy, PartialEq)]
pub enum Aim {
    AtLeast(f64),
    AtMost(f64),
    /// Nothing: the figure is shown.
    Shown,
}

impl Aim {
    fn is_met(self, ratio: f64) -> bool {
        match self {
            Self::AtLeast(least) => ratio >= least,
            Self::AtMost(most) => ratio <= most,
            Self::Shown => true,
        }
    }

    fn text(self) -> String {
        match self {
            Self::AtLeast(least) => format!("≥ {least}"),
            Self::AtMost(most) => format!("≤ {most}"),
            Self::Shown => String::new(),
        }
    }
}

/// A measurement. `ratio` is the figure that the aim speaks of: our value by the ceiling, or the value itself where
/// there is nothing to compare with.
#[derive(Debug, Clone, PartialEq)]
pub struct Figure {
    pub name: &'static str,
    pub value: f64,
    pub unit: &'static str,
    pub ceiling: Option<f64>,
    pub ratio: f64,
    pub aim: Aim,
    /// What else was seen, in words.
    pub notes: Vec<String>,
}

impl Figure {
    /// One object on a line, for programs.
    pub fn print_json(&self) {
        let Self { name, value, unit, ceiling, ratio, notes, .. } = self;
        let is_met = self.aim.is_met(*ratio);
        let line = json!({ "name": name, "value": value, "unit": unit, "ceiling": ceiling, "ratio": ratio, "met": is_met, "notes": notes });
        println!("{line}");
    }
}

/// The median; the values need not be in order.
pub fn median(values: &[f64]) -> f64 {
    quantile(values, 0.5)
}

/// The value below which that share of the values lies.
pub fn quantile(values: &[f64], share: f64) -> f64 {
    let mut sorted = values.to_vec();
    sorted.sort_by(f64::total_cmp);
    #[expect(
        clippy::cast_precision_loss,
        clippy::cast_possible_truncation,
        clippy::cast_sign_loss,
        reason = "a place in a short list"
    )]
    let place = ((sorted.len().saturating_sub(1)) as f64 * share).round() as usize;
    sorted.get(place).copied().unwrap_or(f64::NAN)
}

/// All figures, for people.
pub fn print_table(figures: &[Figure]) {
    let mut table = Table::new();
    table.load_style(presets::ASCII_MARKDOWN);
    if !std::io::stdout().is_terminal() || std::env::var_os("NO_COLOR").is_some() {
        table.force_no_tty();
    }
    table.set_header(["measure", "value", "unit", "ceiling", "ratio", "aim", ""]);
    for figure in figures {
        let number = |value: Option<f64>| Cell::new(value.map(readable).unwrap_or_default()).set_alignment(CellAlignment::Right);
        let (word, colour) = match figure.aim {
            Aim::Shown => ("", Color::Reset),
            aim if aim.is_met(figure.ratio) => ("met", Color::Green),
            _ => ("missed", Color::Red),
        };
        table.add_row([
            Cell::new(figure.name),
            number(Some(figure.value)),
            Cell::new(figure.unit),
            number(figure.ceiling),
            number(Some(figure.ratio)),
            Cell::new(figure.aim.text()),
            Cell::new(word).fg(colour),
        ]);
    }
    println!("{table}");
    for figure in figures {
        for note in &figure.notes {
            println!("{}: {note}", figure.name);
        }
    }
}

/// Three figures that matter.
fn readable(value: f64) -> String {
    match value.abs() {
        0.0..10.0 => format!("{value:.2}"),
        10.0..100.0 => format!("{value:.1}"),
        _ => format!("{value:.0}"),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_median_is_the_value_in_the_middle() {
        assert!((median(&[9.0, 1.0, 5.0]) - 5.0).abs() < f64::EPSILON);
        assert!((quantile(&[1.0, 2.0, 3.0, 4.0, 5.0], 0.99) - 5.0).abs() < f64::EPSILON);
        assert!(median(&[]).is_nan());
    }

    #[test]
    fn an_aim_is_met_on_its_side_only() {
        assert!(Aim::AtLeast(0.7).is_met(0.7) && !Aim::AtLeast(0.7).is_met(0.69));
        assert!(Aim::AtMost(1.3).is_met(1.3) && !Aim::AtMost(1.3).is_met(1.31));
        assert!(!Aim::AtMost(1.0).is_met(f64::NAN), "what could not be measured meets nothing");
    }
}
