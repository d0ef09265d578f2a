//! Tables of one line a row: what does not fit into the terminal is cut from the last column.

use comfy_table::{
    CellAlignment, ColumnConstraint, ContentArrangement, Row, Table, presets::NOTHING,
};

use super::output::{Paint, Style};

/// The heading and then the rows, without their line ends. The columns of `numbers` end at the
/// right. All of it was cleaned.
pub fn lines<const N: usize>(
    headings: [&str; N],
    numbers: &[&str],
    rows: Vec<[String; N]>,
    style: Style,
) -> Vec<String> {
    let mut table = Table::new();
    table.load_preset(NOTHING).set_truncation_indicator("…");
    match style.width {
        None => table.set_content_arrangement(ContentArrangement::Disabled),
        Some(width) => table.set_content_arrangement(ContentArrangement::Dynamic).set_width(width),
    };
    table.set_header(one_line(headings.map(str::to_owned)));
    for row in rows {
        table.add_row(one_line(row));
    }
    let last = N.saturating_sub(1);
    for (number, (column, heading)) in table.column_iter_mut().zip(headings).enumerate() {
        column.set_padding((0, 2));
        if numbers.contains(&heading) {
            column.set_cell_alignment(CellAlignment::Right);
        }
        if number != last {
            column.set_constraint(ColumnConstraint::ContentWidth);
        }
    }
    let mut lines: Vec<String> =
        table.lines().map(|line| cut(line.trim_end(), style).to_owned()).collect();
    if let Some(heading) = lines.first_mut() {
        *heading = style.paint(Paint::Bold, heading);
    }
    lines
}

fn one_line<const N: usize>(cells: [String; N]) -> Row {
    let mut row = Row::from(cells);
    row.max_height(1);
    row
}

/// The last resort for a terminal that is narrower than the names.
fn cut(line: &str, style: Style) -> &str {
    let Some(width) = style.width else { return line };
    match line.char_indices().nth(usize::from(width)) {
        None => line,
        Some((end, _)) => line.get(..end).unwrap_or(line),
    }
}
