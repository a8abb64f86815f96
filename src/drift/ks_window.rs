//! The last confidences of every model and version, a bounded number of each.

use std::collections::VecDeque;

/// Versions of a model that keep a window, where the configuration does not say.
pub const VERSIONS_PER_MODEL: usize = 8;

/// The last values of one series, oldest first.
#[derive(Debug, Clone, PartialEq)]
pub struct KsWindow {
    values: VecDeque<f64>,
    size: usize,
}

impl KsWindow {
    /// An empty window for `size` values; memory is taken as they come.
    pub const fn new(size: usize) -> Self {
        Self {
            values: VecDeque::new(),
            size,
        }
    }

    /// Adds a value, the oldest one leaves when the window is full. One that is not finite is
    /// ignored: it would make every later verdict meaningless. No allocation once full.
    pub fn push(&mut self, value: f64) {
        if !value.is_finite() || self.size == 0 {
            return;
        }
        if self.values.len() >= self.size {
            self.values.pop_front();
        }
        self.values.push_back(value);
    }

    /// Changes how many values fit; the newest stay.
    pub fn resize(&mut self, size: usize) {
        self.size = size;
        let surplus = self.values.len().saturating_sub(size);
        self.values.drain(..surplus);
        self.values.shrink_to(size);
    }

    /// Values held now.
    pub fn len(&self) -> usize {
        self.values.len()
    }

    /// Whether it holds none.
    pub fn is_empty(&self) -> bool {
        self.values.is_empty()
    }

    /// A copy, oldest first.
    pub fn values(&self) -> Vec<f64> {
        self.values.iter().copied().collect()
    }
}

/// A model and version whose window is gone.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Retired {
    /// The model.
    pub model: String,
    /// Its version.
    pub version: String,
}

/// One window per model and version; the least recently used leave.
///
/// Both lists are kept in the order of their last use, newest first: the one in use is found at
/// once and the one to leave is the last.
#[derive(Debug)]
pub struct Windows {
    models: Vec<Model>,
    window: usize,
    max_models: usize,
    max_versions: usize,
}

#[derive(Debug)]
struct Model {
    name: String,
    versions: Vec<Version>,
}

#[derive(Debug)]
struct Version {
    name: String,
    window: KsWindow,
    /// Ticks since its last value.
    quiet: u32,
}

impl Windows {
    /// No windows yet; at most `max_models` models with `max_versions` versions each (both at
    /// least 1), of `window` values.
    pub fn new(window: usize, max_models: usize, max_versions: usize) -> Self {
        Self {
            models: Vec::new(),
            window,
            max_models: max_models.max(1),
            max_versions: max_versions.max(1),
        }
    }

    /// Adds a confidence to the window of its model and version, and tells which windows had to
    /// leave for it. No allocation unless the series is new or its window still grows.
    pub fn push(&mut self, model: &str, version: &str, confidence: f64) -> Vec<Retired> {
        let found = self.models.iter().position(|m| m.name == model);
        let mut retired = Vec::new();
        if let Some(at) = found {
            self.models[..=at].rotate_right(1);
        } else {
            self.models.insert(0, Model::new(model));
            self.retire_models(&mut retired);
        }
        let model = &mut self.models[0];
        let version = model.version(version, self.window);
        version.window.push(confidence);
        version.quiet = 0;
        model.retire_versions(self.max_versions, &mut retired);
        retired
    }

    /// The window of a model's version.
    pub fn get(&self, model: &str, version: &str) -> Option<&KsWindow> {
        self.find(model, version).map(|version| &version.window)
    }

    fn find(&self, model: &str, version: &str) -> Option<&Version> {
        let model = self.models.iter().find(|m| m.name == model)?;
        model.versions.iter().find(|v| v.name == version)
    }

    /// Counts a scheduled check.
    pub fn tick(&mut self) {
        for version in self.models.iter_mut().flat_map(|m| &mut m.versions) {
            version.quiet = version.quiet.saturating_add(1);
        }
    }

    /// How often it was counted since a version's last confidence; `None`: it has no window.
    pub fn quiet(&self, model: &str, version: &str) -> Option<u32> {
        self.find(model, version).map(|version| version.quiet)
    }

    /// The model and version that were last used.
    pub fn latest(&self) -> Option<(&str, &str)> {
        self.iter()
            .next()
            .map(|(model, version, _)| (model, version))
    }

    /// Every model, version and window, last used first.
    pub fn iter(&self) -> impl Iterator<Item = (&str, &str, &KsWindow)> {
        self.models.iter().flat_map(|model| {
            let versions = model.versions.iter();
            versions.map(|v| (model.name.as_str(), v.name.as_str(), &v.window))
        })
    }

    /// Changes the bounds, and tells which windows had to leave; the others keep their newest values.
    pub fn resize(
        &mut self,
        window: usize,
        max_models: usize,
        max_versions: usize,
    ) -> Vec<Retired> {
        (self.window, self.max_models) = (window, max_models.max(1));
        self.max_versions = max_versions.max(1);
        let mut retired = Vec::new();
        self.retire_models(&mut retired);
        for model in &mut self.models {
            model.retire_versions(self.max_versions, &mut retired);
            for version in &mut model.versions {
                version.window.resize(window);
            }
        }
        retired
    }

    fn retire_models(&mut self, retired: &mut Vec<Retired>) {
        while self.models.len() > self.max_models
            && let Some(mut model) = self.models.pop()
        {
            model.retire_versions(0, retired);
        }
    }
}

impl Model {
    fn new(name: &str) -> Self {
        Self {
            name: name.to_owned(),
            versions: Vec::new(),
        }
    }

    /// The version, with a new window of `size` if it has none; it is now the last used.
    fn version(&mut self, version: &str, size: usize) -> &mut Version {
        if let Some(at) = self.versions.iter().position(|v| v.name == version) {
            self.versions[..=at].rotate_right(1);
        } else {
            let version = Version {
                name: version.to_owned(),
                window: KsWindow::new(size),
                quiet: 0,
            };
            self.versions.insert(0, version);
        }
        &mut self.versions[0]
    }

    fn retire_versions(&mut self, max: usize, retired: &mut Vec<Retired>) {
        while self.versions.len() > max
            && let Some(version) = self.versions.pop()
        {
            retired.push(Retired {
                model: self.name.clone(),
                version: version.name,
            });
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn names(retired: &[Retired]) -> Vec<(&str, &str)> {
        retired
            .iter()
            .map(|r| (r.model.as_str(), r.version.as_str()))
            .collect()
    }

    #[test]
    fn a_full_window_forgets_the_oldest() {
        let mut window = KsWindow::new(3);
        for value in [0.1, 0.2, 0.3, 0.4, 0.5] {
            window.push(value);
        }
        assert_eq!(window.values(), [0.3, 0.4, 0.5]);
        assert_eq!(window.len(), 3);
    }

    #[test]
    fn what_is_not_finite_never_enters() {
        let mut window = KsWindow::new(3);
        for value in [f64::NAN, f64::INFINITY, f64::NEG_INFINITY] {
            window.push(value);
        }
        assert!(window.is_empty());
    }

    #[test]
    fn a_window_of_nothing_holds_nothing() {
        let mut window = KsWindow::new(0);
        window.push(0.5);
        assert!(window.is_empty());
    }

    #[test]
    fn resizing_keeps_the_newest_and_leaves_room_for_more() {
        let mut window = KsWindow::new(4);
        for value in [0.1, 0.2, 0.3, 0.4] {
            window.push(value);
        }
        window.resize(2);
        assert_eq!(window.values(), [0.3, 0.4]);
        window.resize(3);
        window.push(0.5);
        window.push(0.6);
        assert_eq!(window.values(), [0.4, 0.5, 0.6]);
    }

    #[test]
    fn a_full_window_takes_no_more_memory() {
        let mut window = KsWindow::new(1000);
        for _ in 0..1000 {
            window.push(0.5);
        }
        let capacity = window.values.capacity();
        for _ in 0..100_000 {
            window.push(0.5);
        }
        assert_eq!(window.values.capacity(), capacity);
    }

    #[test]
    fn each_model_and_version_has_its_own_window() {
        let mut windows = Windows::new(10, 5, VERSIONS_PER_MODEL);
        assert!(windows.push("iris", "1", 0.5).is_empty());
        assert!(windows.push("iris", "2", 0.6).is_empty());
        assert!(windows.push("other", "1", 0.7).is_empty());
        assert_eq!(windows.get("iris", "1").unwrap().values(), [0.5]);
        assert_eq!(windows.get("other", "1").unwrap().values(), [0.7]);
        assert!(windows.get("iris", "3").is_none());
        assert_eq!(windows.iter().count(), 3);
    }

    #[test]
    fn the_version_unused_for_longest_leaves_alone() {
        let mut windows = Windows::new(10, 5, 2);
        windows.push("iris", "1", 0.5);
        windows.push("iris", "2", 0.5);
        windows.push("iris", "1", 0.6);
        let retired = windows.push("iris", "3", 0.5);
        assert_eq!(names(&retired), [("iris", "2")]);
        assert_eq!(windows.get("iris", "1").unwrap().values(), [0.5, 0.6]);
    }

    #[test]
    fn a_model_leaves_with_all_its_versions() {
        let mut windows = Windows::new(10, 1, 8);
        windows.push("a", "1", 0.5);
        windows.push("a", "2", 0.5);
        let retired = windows.push("b", "1", 0.5);
        assert_eq!(names(&retired), [("a", "1"), ("a", "2")]);
        assert_eq!(windows.iter().count(), 1);
    }

    #[test]
    fn the_latest_is_the_one_last_pushed() {
        let mut windows = Windows::new(10, 5, 8);
        assert_eq!(windows.latest(), None);
        windows.push("a", "1", 0.5);
        windows.push("b", "7", 0.5);
        assert_eq!(windows.latest(), Some(("b", "7")));
        windows.push("a", "1", 0.5);
        assert_eq!(windows.latest(), Some(("a", "1")));
    }

    #[test]
    fn tighter_bounds_retire_at_once() {
        let mut windows = Windows::new(10, 5, 8);
        for version in ["1", "2", "3"] {
            windows.push("a", version, 0.5);
            windows.push("b", version, 0.4);
            windows.push("b", version, 0.3);
        }
        let retired = windows.resize(1, 1, 2);
        assert_eq!(
            names(&retired),
            [("a", "1"), ("a", "2"), ("a", "3"), ("b", "1")]
        );
        assert_eq!(windows.get("b", "3").unwrap().values(), [0.3]);
    }

    #[test]
    fn churn_never_holds_more_than_the_bounds() {
        let mut windows = Windows::new(2, 3, 4);
        for i in 0..10_000 {
            windows.push(&format!("m{}", i % 7), &format!("v{}", i % 11), 0.5);
        }
        assert!(windows.models.len() <= 3);
        assert!(windows.models.iter().all(|m| m.versions.len() <= 4));
    }
}
