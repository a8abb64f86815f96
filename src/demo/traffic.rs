//! What the client sends: real rows in a random order, a little blurred, as they are or spoilt.
//!
//! The same seed gives the same rows.

use serde_json::{Map, Value};

/// Standard deviation of what is added to each value, cm: about what a ruler is off by. Without it the 150 rows
/// would be a loop, and every value one that was there before.
const BLUR: f64 = 0.1;
/// The least that is measured, cm.
const LEAST: f64 = 0.05;
const CM_PER_INCH: f64 = 2.54;

/// One measured flower.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct Row {
    /// In the order of [`Table::features`], cm.
    pub values: [f64; 4],
    /// Index into [`Table::classes`].
    pub class: usize,
}

/// What there is to send.
#[derive(Debug, Clone)]
pub struct Table {
    /// Names of the values, as the model takes them.
    pub features: [&'static str; 4],
    /// Names of the classes.
    pub classes: [&'static str; 3],
    /// In any order; some of every class.
    pub rows: Vec<Row>,
}

/// What is wrong with the traffic.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Fault {
    /// The two lengths are measured in inches.
    Inches,
    /// Flowers of the last class do not come.
    MissingClass,
    /// The second sensor, that of the sepals' width, says its median whatever comes.
    StuckSensor,
}

/// Places of the two lengths.
pub(super) const LENGTHS: [usize; 2] = [0, 2];
/// The place of the sensor that sticks.
pub(super) const STUCK: usize = 1;
/// The class that goes missing.
pub(super) const MISSING: usize = 2;

/// An endless stream of rows.
#[derive(Debug)]
pub struct Traffic {
    table: Table,
    random: fastrand::Rng,
    /// Rows that are still to come before all come again, the next one last.
    order: Vec<usize>,
    /// What the sensor that sticks says.
    median: f64,
}

impl Traffic {
    /// Begins anew.
    pub fn new(table: Table, seed: u64) -> Self {
        let mut all: Vec<f64> = table.rows.iter().map(|row| row.values[STUCK]).collect();
        all.sort_by(f64::total_cmp);
        Self {
            median: all.get(all.len() / 2).copied().unwrap_or_default(),
            table,
            random: fastrand::Rng::with_seed(seed),
            order: Vec::new(),
        }
    }

    /// The next row as the client measures it, rounded to hundredths; `None`: the table has none.
    pub fn next(&mut self, fault: Option<Fault>) -> Option<[f64; 4]> {
        let row = self.draw(fault == Some(Fault::MissingClass))?;
        let mut values = row.values;
        for (place, value) in values.iter_mut().enumerate() {
            *value = (*value + BLUR * self.gauss()).max(LEAST);
            if fault == Some(Fault::Inches) && LENGTHS.contains(&place) {
                *value /= CM_PER_INCH;
            }
            *value = (*value * 100.0).round() / 100.0;
        }
        if fault == Some(Fault::StuckSensor) {
            values[STUCK] = self.median;
        }
        Some(values)
    }

    /// The same as the body of a request.
    pub fn next_body(&mut self, fault: Option<Fault>) -> Option<Vec<u8>> {
        let values = self.next(fault)?;
        let names = self.table.features.map(str::to_owned);
        let fields: Map<String, Value> = names.into_iter().zip(values.map(Value::from)).collect();
        // texts and finite numbers are JSON
        Some(serde_json::to_vec(&fields).unwrap_or_default())
    }

    /// A row that was not drawn since all of them were there.
    fn draw(&mut self, is_one_class_missing: bool) -> Option<Row> {
        for _ in 0..=self.table.rows.len() {
            if self.order.is_empty() {
                self.order = (0..self.table.rows.len()).collect();
                self.random.shuffle(&mut self.order);
            }
            let row = self.table.rows[self.order.pop()?];
            if !(is_one_class_missing && row.class == MISSING) {
                return Some(row);
            }
        }
        None
    }

    /// A number of mean 0 and standard deviation 1, by Box and Muller.
    fn gauss(&mut self) -> f64 {
        // from above 0, whose logarithm there is
        let (u, v) = (1.0 - self.random.f64(), self.random.f64());
        (-2.0 * u.ln()).sqrt() * (std::f64::consts::TAU * v).cos()
    }
}

#[cfg(test)]
pub(super) mod tests {
    use std::collections::HashSet;

    use super::*;

    /// 150 rows, sorted by class as the real table is; a class's values are far from another's.
    pub(crate) fn table() -> Table {
        let row = |place: u8| {
            let (class, within) = (place / 50, f64::from(place % 50) / 100.0);
            let middle = 2.0 + 3.0 * f64::from(class);
            Row {
                values: [middle + within, 3.0 + within, middle + within, 1.0 + within],
                class: usize::from(class),
            }
        };
        Table {
            features: ["sepal_length", "sepal_width", "petal_length", "petal_width"],
            classes: ["setosa", "versicolor", "virginica"],
            rows: (0..150).map(row).collect(),
        }
    }

    fn sent(seed: u64, count: usize, fault: Option<Fault>) -> Vec<[f64; 4]> {
        let mut traffic = Traffic::new(table(), seed);
        (0..count).map(|_| traffic.next(fault).unwrap()).collect()
    }

    /// By the petal's length, whose blur is far less than what is between classes.
    fn class(values: &[f64; 4]) -> usize {
        match values[2] {
            ..3.7 => 0,
            3.7..6.7 => 1,
            _ => 2,
        }
    }

    #[test]
    fn the_same_seed_gives_the_same_rows_and_another_one_others() {
        assert_eq!(sent(1, 500, None), sent(1, 500, None));
        assert_ne!(sent(1, 500, None), sent(2, 500, None));
    }

    #[test]
    fn classes_are_mixed_and_each_comes_as_often_as_the_table_has_it() {
        let rows = sent(3, 300, None);
        for class_of_flower in 0..3 {
            let of_class = rows.iter().filter(|row| class(row) == class_of_flower);
            assert_eq!(of_class.count(), 100);
        }
        for part in rows.chunks(50) {
            let classes: HashSet<_> = part.iter().map(class).collect();
            assert_eq!(classes.len(), 3);
        }
        let turns = rows
            .windows(2)
            .filter(|two| class(&two[0]) != class(&two[1]));
        assert!(turns.count() > 150, "sorted rows have 5 of them");
    }

    #[test]
    fn rows_are_blurred_by_a_tenth_and_are_no_loop() {
        let mut traffic = Traffic::new(
            Table {
                rows: vec![table().rows[75]],
                ..table()
            },
            4,
        );
        let real = table().rows[75].values;
        let rows: Vec<_> = (0..10_000).map(|_| traffic.next(None).unwrap()).collect();
        for (place, real) in real.into_iter().enumerate() {
            let off: Vec<f64> = rows.iter().map(|row| row[place] - real).collect();
            let mean = off.iter().sum::<f64>() / 1e4;
            let variance = off.iter().map(|off| off * off).sum::<f64>() / 1e4;
            assert!(mean.abs() < 0.01, "{mean}");
            assert!((variance.sqrt() - BLUR).abs() < 0.01, "{variance}");
        }
        let different: HashSet<_> = rows.iter().map(|row| row.map(f64::to_bits)).collect();
        assert!(different.len() > 9_900, "{}", different.len());
    }

    #[test]
    fn inches_are_the_same_rows_with_lengths_over_2_54() {
        let (cm, inches) = (sent(5, 200, None), sent(5, 200, Some(Fault::Inches)));
        for (cm, inches) in cm.iter().zip(&inches) {
            for place in 0..4 {
                let factor = if LENGTHS.contains(&place) { 2.54 } else { 1.0 };
                assert!((cm[place] / factor - inches[place]).abs() < 0.0101);
            }
        }
    }

    #[test]
    fn of_the_missing_class_none_comes_and_of_the_others_all() {
        let rows = sent(6, 200, Some(Fault::MissingClass));
        let of = |wanted| rows.iter().filter(|row| class(row) == wanted).count();
        assert_eq!((of(0), of(1), of(2)), (100, 100, 0));
        let mut none = Traffic::new(
            Table {
                rows: table().rows.split_off(100),
                ..table()
            },
            6,
        );
        assert_eq!(none.next(Some(Fault::MissingClass)), None);
    }

    #[test]
    fn a_stuck_sensor_says_its_median_and_the_others_go_on() {
        let rows = sent(7, 100, Some(Fault::StuckSensor));
        let stuck = rows[0][STUCK];
        assert!((stuck - 3.25).abs() < 1e-9, "{stuck}");
        assert!(
            rows.iter()
                .all(|row| row[STUCK].to_bits() == stuck.to_bits())
        );
        let different = |rows: &[[f64; 4]], place: usize| {
            let values: HashSet<_> = rows.iter().map(|row| row[place].to_bits()).collect();
            values.len()
        };
        assert!([0, 2, 3].iter().all(|place| different(&rows, *place) > 50));
        assert!(different(&sent(7, 100, None), STUCK) > 25);
    }

    #[test]
    fn a_body_has_every_value_by_its_name() {
        let body = Traffic::new(table(), 8).next_body(None).unwrap();
        let row = Traffic::new(table(), 8).next(None).unwrap();
        let body: Value = serde_json::from_slice(&body).unwrap();
        for (name, value) in table().features.iter().zip(row) {
            assert_eq!(body[name], value);
        }
        assert_eq!(body.as_object().unwrap().len(), 4);
    }
}
