//! Fisher's 150 irises.

use std::sync::LazyLock;

use super::model::CLASSES;

/// One flower.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct Row {
    /// In the order of [`FEATURES`](super::model::FEATURES), cm.
    pub features: [f64; 4],
    /// Index into [`CLASSES`].
    pub class: usize,
}

/// All 150, 50 of each class, in the order of the table.
/// Source: R. A. Fisher, The use of multiple measurements in taxonomic problems (1936), with the
/// two rows (35 and 38) that are misprinted in a common copy as Fisher has them.
pub fn rows() -> &'static [Row] {
    static ROWS: LazyLock<Vec<Row>> = LazyLock::new(|| {
        let lines = include_str!("iris.csv").lines().skip(1);
        lines
            .map(|line| row(line).expect("the table is compiled in and has been tested"))
            .collect()
    });
    &ROWS
}

fn row(line: &str) -> Option<Row> {
    let mut fields = line.split(',');
    let mut features = [0.0; 4];
    for feature in &mut features {
        *feature = fields.next()?.parse().ok()?;
    }
    let name = fields.next()?;
    let class = CLASSES.iter().position(|class| *class == name)?;
    Some(Row { features, class })
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::iris::model::FEATURES;

    #[test]
    fn the_table_has_fifty_of_each_class_and_fishers_means() {
        assert_eq!(rows().len(), 150);
        // published means per class, cm
        let means = [
            [5.006, 3.428, 1.462, 0.246],
            [5.936, 2.770, 4.260, 1.326],
            [6.588, 2.974, 5.552, 2.026],
        ];
        for (class, expected) in means.iter().enumerate() {
            let of_class: Vec<_> = rows().iter().filter(|row| row.class == class).collect();
            assert_eq!(of_class.len(), 50);
            for (i, mean) in expected.iter().enumerate() {
                let sum: f64 = of_class.iter().map(|row| row.features[i]).sum();
                assert!((sum / 50.0 - mean).abs() < 1e-9, "{class} {i} {sum}");
            }
        }
    }

    #[test]
    fn the_columns_are_in_the_models_order() {
        let header = include_str!("iris.csv").lines().next().unwrap();
        assert_eq!(header, format!("{},species", FEATURES.join(",")));
    }
}
