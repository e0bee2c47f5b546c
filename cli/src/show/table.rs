//! Lists: a table that fits the terminal, or tab-separated lines without a heading for programs.

use comfy_table::{Attribute, Cell, CellAlignment, ColumnConstraint, ContentArrangement, Row, Table, presets};
use owo_colors::AnsiColors;
use serde_json::Value;

use super::{Look, ages, clean, color_of, number, text_at, time_at};

/// A text that is broken gets at most so many lines.
const TEXT_LINES_MAX: usize = 3;
/// A column of texts is at least so wide; in a narrower terminal each item is a card.
const TEXT_WIDTH_MIN: usize = 12;

/// What stands in a column.
#[derive(Debug, Clone, Copy)]
pub enum Shape {
    /// A name, which is never broken.
    Name,
    /// A state, in its colour.
    State,
    /// A whole number.
    Number,
    /// How long ago, or in how long; the moment itself for programs.
    Age,
    /// A span of seconds.
    Span,
    /// A text, which is broken into lines.
    Text,
    /// A text made from the whole item.
    Made(fn(&Value) -> String),
}

/// A column: its heading, where it is found in an item, and what it is.
#[derive(Debug, Clone, Copy)]
pub struct Column(pub &'static str, pub &'static str, pub Shape);

/// Items as a table.
#[must_use]
pub fn render<'a>(columns: &[Column], items: impl IntoIterator<Item = &'a Value>, look: &Look) -> String {
    let rows: Vec<Vec<String>> =
        items.into_iter().map(|item| columns.iter().map(|column| cell(*column, item, look)).collect()).collect();
    let Some(width) = look.width else { return tabbed(columns, &rows, look) };
    if rows.is_empty() {
        return String::new();
    }
    let names: usize =
        columns.iter().enumerate().filter(|(_, column)| !is_text(**column)).map(|(i, column)| widest(i, column, &rows)).sum();
    let texts = columns.iter().filter(|column| is_text(**column)).count();
    if names + texts * TEXT_WIDTH_MIN + columns.len() * 2 > width {
        cards(columns, &rows, look)
    } else {
        grid(columns, rows, look, width)
    }
}

/// A list of the api, with a word when it is empty.
#[must_use]
pub fn list(columns: &[Column], document: &Value, look: &Look) -> String {
    let table = render(columns, super::items_at(document, "items"), look);
    if table.is_empty() && look.width.is_some() { "Nothing fits.\n".to_owned() } else { table }
}

const fn is_text(column: Column) -> bool {
    matches!(column.2, Shape::Text | Shape::Made(_))
}

fn widest(index: usize, column: &Column, rows: &[Vec<String>]) -> usize {
    let cells = rows.iter().filter_map(|row| row.get(index)).map(|cell| cell.chars().count());
    cells.chain([column.0.len()]).max().unwrap_or_default()
}

fn cell(Column(_, at, shape): Column, item: &Value, look: &Look) -> String {
    let is_plain = look.width.is_none();
    match shape {
        Shape::Made(make) => clean(&make(item)),
        Shape::Number if !is_plain => item.pointer(at).and_then(Value::as_i64).map_or_else(|| text_at(item, at), number),
        Shape::Age => match time_at(item, at) {
            Some(time) if is_plain => ages::exact(time),
            Some(time) => ages::age(time, look.now),
            None => String::new(),
        },
        Shape::Span if !is_plain => item.pointer(at).and_then(Value::as_f64).map(ages::span).unwrap_or_default(),
        _ => text_at(item, at),
    }
}

fn color(Column(.., shape): Column, text: &str) -> Option<AnsiColors> {
    if matches!(shape, Shape::State) { color_of(text) } else { None }
}

fn tabbed(columns: &[Column], rows: &[Vec<String>], look: &Look) -> String {
    let line = |row: &Vec<String>| {
        let cells: Vec<_> = row.iter().zip(columns).map(|(text, column)| look.paint(text, color(*column, text))).collect();
        cells.join("\t") + "\n"
    };
    rows.iter().map(line).collect()
}

/// One item below the other, for narrow terminals.
fn cards(columns: &[Column], rows: &[Vec<String>], look: &Look) -> String {
    let card = |row: &Vec<String>| {
        let facts = row.iter().zip(columns).map(|(text, column)| look.fact(column.0, &look.paint(text, color(*column, text))));
        facts.collect::<String>() + "\n"
    };
    rows.iter().map(card).collect()
}

fn grid(columns: &[Column], rows: Vec<Vec<String>>, look: &Look, width: usize) -> String {
    let mut table = Table::new();
    table.load_style(presets::NOTHING).set_content_arrangement(ContentArrangement::Dynamic);
    table.set_width(u16::try_from(width).unwrap_or(u16::MAX));
    if look.has_colour {
        table.enforce_styling();
    } else {
        table.force_no_tty();
    }
    table.set_header(columns.iter().map(|column| Cell::new(column.0).add_attribute(Attribute::Bold)));
    for row in rows {
        let cells = row.into_iter().zip(columns).map(|(text, column)| match color(*column, &text) {
            Some(color) => Cell::new_owned(text).fg(terminal_color(color)),
            None => Cell::new_owned(text),
        });
        let mut row = Row::from(cells.collect::<Vec<_>>());
        row.max_height(TEXT_LINES_MAX);
        table.add_row(row);
    }
    for (column, described) in table.column_iter_mut().zip(columns) {
        column.set_padding((0, 2));
        if matches!(described.2, Shape::Number | Shape::Age | Shape::Span) {
            column.set_cell_alignment(CellAlignment::Right);
        }
        if !is_text(*described) {
            column.set_constraint(ColumnConstraint::ContentWidth);
        }
    }
    let lines: Vec<_> = table.lines().map(|line| line.trim_end().to_owned()).collect();
    lines.join("\n") + "\n"
}

const fn terminal_color(color: AnsiColors) -> comfy_table::Color {
    match color {
        AnsiColors::Green => comfy_table::Color::DarkGreen,
        AnsiColors::Red => comfy_table::Color::DarkRed,
        AnsiColors::Yellow => comfy_table::Color::DarkYellow,
        _ => comfy_table::Color::DarkCyan,
    }
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;
    use crate::show::tests::look;

    const COLUMNS: [Column; 5] = [
        Column("ID", "/id", Shape::Name),
        Column("STATE", "/state", Shape::State),
        Column("COUNT", "/count", Shape::Number),
        Column("SEEN", "/seen", Shape::Age),
        Column("ERROR", "/error", Shape::Text),
    ];

    fn items() -> Vec<Value> {
        vec![
            json!({ "id": 7, "state": "dead", "count": 40213, "seen": "2026-11-25T03:27:00Z", "error": "the vendor\tanswered 503 Service Unavailable", "new": 1 }),
            json!({ "id": 12345, "state": "due", "count": null, "seen": null }),
        ]
    }

    #[test]
    fn in_a_pipe_it_is_one_line_an_item_with_tabs_and_exact_times_and_no_heading() {
        let text = render(&COLUMNS, &items(), &look(None));
        assert_eq!(
            text,
            "7\tdead\t40213\t2026-11-25T03:27:00.000Z\tthe vendor answered 503 Service Unavailable\n12345\tdue\t\t\t\n"
        );
    }

    #[test]
    fn on_a_terminal_numbers_stand_right_and_texts_are_broken() {
        let text = render(&COLUMNS, &items(), &look(Some(60)));
        let expected = "\
ID     STATE   COUNT   SEEN  ERROR
7      dead   40,213  3 min  the vendor answered 503
                             Service Unavailable
12345  due
";
        assert_eq!(text, expected);
        assert!(text.lines().all(|line| line.chars().count() <= 60));
    }

    #[test]
    fn in_a_narrow_terminal_each_item_is_a_card() {
        let text = render(&COLUMNS, &items(), &look(Some(36)));
        assert!(text.starts_with("  ID          7\n  STATE       dead\n  COUNT       40,213\n"), "{text}");
    }

    #[test]
    fn a_state_has_its_colour_in_a_pipe_too_when_that_is_wanted() {
        let text = render(&COLUMNS, &items(), &Look { has_colour: true, ..look(None) });
        assert!(text.contains("\u{1b}[31mdead\u{1b}[39m"), "{text:?}");
        let text = render(&COLUMNS, &items(), &Look { has_colour: true, ..look(Some(80)) });
        assert!(text.contains("\u{1b}["), "{text:?}");
    }
}
