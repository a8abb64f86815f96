//! Series that can be taken back: written whole by their owner, rendered as text.

use std::fmt::Write;

use super::catalogue::Family;

/// Values of gauges and counters by family, in the order they were pushed.
#[derive(Debug, Default, Clone)]
pub struct Table {
    families: Vec<(&'static Family, String)>,
}

impl Table {
    /// Adds one series; a value that is not finite is left out.
    ///
    /// `values`: label values in the catalogue's order.
    pub fn push(&mut self, family: &'static Family, values: &[&str], value: f64) {
        debug_assert_eq!(family.labels.len(), values.len(), "{}", family.name);
        if !value.is_finite() {
            return;
        }
        write_series(self.lines(family), family, "", values, None);
        writeln!(self.lines(family), " {value}").expect("writing to a string does not fail");
    }

    /// Adds a histogram: `counts` by upper edge, each without those below, and one more for what is
    /// above all `edges`.
    pub fn push_histogram(
        &mut self,
        family: &'static Family,
        values: &[&str],
        edges: &[f64],
        counts: &[u64],
        sum: f64,
    ) {
        debug_assert_eq!(edges.len() + 1, counts.len(), "{}", family.name);
        let lines = self.lines(family);
        let mut total = 0;
        for (place, count) in counts.iter().enumerate() {
            total += count;
            let edge = edges.get(place).map_or("+Inf".to_owned(), f64::to_string);
            write_series(lines, family, "_bucket", values, Some(&edge));
            writeln!(lines, " {total}").expect("writing to a string does not fail");
        }
        write_series(lines, family, "_sum", values, None);
        writeln!(lines, " {sum}").expect("writing to a string does not fail");
        write_series(lines, family, "_count", values, None);
        writeln!(lines, " {total}").expect("writing to a string does not fail");
    }

    /// The text exposition format, with help and type of each family.
    pub fn render(&self) -> String {
        let mut text = String::new();
        for (
            Family {
                name, help, kind, ..
            },
            lines,
        ) in &self.families
        {
            let kind = kind.name();
            write!(
                text,
                "# HELP {name} {help}\n# TYPE {name} {kind}\n{lines}\n"
            )
            .expect("writing to a string does not fail");
        }
        text
    }

    fn lines(&mut self, family: &'static Family) -> &mut String {
        let found = self
            .families
            .iter()
            .position(|(f, _)| f.name == family.name);
        let at = found.unwrap_or_else(|| {
            self.families.push((family, String::new()));
            self.families.len() - 1
        });
        &mut self.families[at].1
    }
}

/// The name of a series with its labels; `edge`: the label `le`.
fn write_series(
    lines: &mut String,
    family: &'static Family,
    suffix: &str,
    values: &[&str],
    edge: Option<&str>,
) {
    lines.push_str(family.name);
    lines.push_str(suffix);
    let labels = family.labels.iter().zip(values);
    let edge = edge.iter().map(|edge| (&"le", edge));
    let mut is_first = true;
    for (name, value) in labels.chain(edge) {
        lines.push(if is_first { '{' } else { ',' });
        is_first = false;
        lines.push_str(name);
        lines.push_str("=\"");
        escape(value, lines);
        lines.push('"');
    }
    if !is_first {
        lines.push('}');
    }
}

fn escape(value: &str, into: &mut String) {
    for c in value.chars() {
        match c {
            '\\' => into.push_str("\\\\"),
            '"' => into.push_str("\\\""),
            '\n' => into.push_str("\\n"),
            c => into.push(c),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::{super::catalogue::MODEL_LOADED, *};

    #[test]
    fn labels_cannot_break_a_line() {
        let mut table = Table::default();
        table.push(&MODEL_LOADED, &["a\"b", "c\\d\ne"], 0.0);
        let text = table.render();
        assert_eq!(
            text.lines().nth(2),
            Some(r#"ml_model_loaded{model="a\"b",model_version="c\\d\ne"} 0"#)
        );
    }

    #[test]
    fn a_family_has_its_help_once_and_nan_is_left_out() {
        let mut table = Table::default();
        table.push(&MODEL_LOADED, &["a", "1"], 1.0);
        table.push(&MODEL_LOADED, &["a", "2"], f64::NAN);
        table.push(&MODEL_LOADED, &["b", "1"], 0.5);
        let text = table.render();
        assert_eq!(text.matches("# HELP").count(), 1);
        assert_eq!(text.lines().filter(|l| l.starts_with("ml_")).count(), 2);
    }
}
