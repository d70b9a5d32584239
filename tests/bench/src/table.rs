//! A table of its own, which has a column for each of what is compared.

/// What was measured of one of them.
pub struct Column {
    pub name: &'static str,
    /// Each with its name, in an order that all have in common.
    pub figures: Vec<(&'static str, String)>,
}

pub fn print(columns: &[Column]) {
    let Some(first) = columns.first() else { return };
    let names: Vec<&str> = columns.iter().map(|column| column.name).collect();
    println!("\n| | {} |", names.join(" | "));
    println!("|---|{}", "---|".repeat(columns.len()));
    for (place, (figure, _)) in first.figures.iter().enumerate() {
        let cells = columns.iter().map(|column| column.figures.get(place).map_or("", |(_, shown)| shown));
        println!("| {figure} | {} |", cells.collect::<Vec<_>>().join(" | "));
    }
}
