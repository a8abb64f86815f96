//! What is kept of every model and version, of a bounded number of each.

/// Versions of a model that are kept, where the configuration does not say.
pub const VERSIONS_PER_MODEL: usize = 8;

/// A model and version of which nothing is kept any more.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Retired {
    /// The model.
    pub model: String,
    /// Its version.
    pub version: String,
}

/// One `T` per model and version; the least recently used leave.
///
/// Both lists are kept in the order of their last use, newest first: the one in use is found at
/// once and the one to leave is the last.
#[derive(Debug)]
pub struct Versions<T> {
    models: Vec<Model<T>>,
    most: usize,
    /// Versions of each.
    per_model: usize,
}

#[derive(Debug)]
struct Model<T> {
    name: String,
    versions: Vec<Version<T>>,
}

#[derive(Debug)]
struct Version<T> {
    name: String,
    kept: T,
}

impl<T> Versions<T> {
    /// None yet; at most `max_models` models with `max_versions` versions each (both at least 1).
    pub fn new(max_models: usize, max_versions: usize) -> Self {
        Self {
            models: Vec::new(),
            most: max_models.max(1),
            per_model: max_versions.max(1),
        }
    }

    /// What is kept of a version, which is now the last used; `new` where there is nothing yet. Tells who
    /// had to leave for it. No allocation unless it is new.
    pub fn touch(
        &mut self,
        model: &str,
        version: &str,
        new: impl FnOnce() -> T,
    ) -> (&mut T, Vec<Retired>) {
        let found = self.models.iter().position(|m| m.name == model);
        let mut retired = Vec::new();
        if let Some(at) = found {
            self.models[..=at].rotate_right(1);
        } else {
            self.models.insert(0, Model::new(model));
            retire_models(&mut self.models, self.most, &mut retired);
        }
        let model = &mut self.models[0];
        model.put_first(version, new);
        model.retire_versions(self.per_model, &mut retired);
        (&mut model.versions[0].kept, retired)
    }

    /// What is kept of a model's version.
    pub fn get(&self, model: &str, version: &str) -> Option<&T> {
        let model = self.models.iter().find(|m| m.name == model)?;
        let version = model.versions.iter().find(|v| v.name == version)?;
        Some(&version.kept)
    }

    /// The model and version that were last used.
    pub fn latest(&self) -> Option<(&str, &str)> {
        self.iter()
            .next()
            .map(|(model, version, _)| (model, version))
    }

    /// Every model and version with what is kept of it, last used first.
    pub fn iter(&self) -> impl Iterator<Item = (&str, &str, &T)> {
        self.models.iter().flat_map(|model| {
            let versions = model.versions.iter();
            versions.map(|v| (model.name.as_str(), v.name.as_str(), &v.kept))
        })
    }

    /// The same, to change it.
    pub fn iter_mut(&mut self) -> impl Iterator<Item = (&str, &str, &mut T)> {
        self.models.iter_mut().flat_map(|model| {
            let name = model.name.as_str();
            let versions = model.versions.iter_mut();
            versions.map(move |v| (name, v.name.as_str(), &mut v.kept))
        })
    }

    /// Changes the bounds, and tells who had to leave.
    pub fn resize(&mut self, max_models: usize, max_versions: usize) -> Vec<Retired> {
        self.most = max_models.max(1);
        self.per_model = max_versions.max(1);
        let mut retired = Vec::new();
        retire_models(&mut self.models, self.most, &mut retired);
        for model in &mut self.models {
            model.retire_versions(self.per_model, &mut retired);
        }
        retired
    }
}

fn retire_models<T>(models: &mut Vec<Model<T>>, most: usize, retired: &mut Vec<Retired>) {
    while models.len() > most
        && let Some(mut model) = models.pop()
    {
        model.retire_versions(0, retired);
    }
}

impl<T> Model<T> {
    fn new(name: &str) -> Self {
        Self {
            name: name.to_owned(),
            versions: Vec::new(),
        }
    }

    /// Makes the version the last used.
    fn put_first(&mut self, version: &str, new: impl FnOnce() -> T) {
        if let Some(at) = self.versions.iter().position(|v| v.name == version) {
            self.versions[..=at].rotate_right(1);
        } else {
            let version = Version {
                name: version.to_owned(),
                kept: new(),
            };
            self.versions.insert(0, version);
        }
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

    /// Counts a use.
    fn push(versions: &mut Versions<u32>, model: &str, version: &str) -> Vec<Retired> {
        let (count, retired) = versions.touch(model, version, || 0);
        *count += 1;
        retired
    }

    #[test]
    fn each_model_and_version_has_its_own() {
        let mut versions = Versions::new(5, VERSIONS_PER_MODEL);
        assert!(push(&mut versions, "iris", "1").is_empty());
        assert!(push(&mut versions, "iris", "2").is_empty());
        assert!(push(&mut versions, "other", "1").is_empty());
        push(&mut versions, "iris", "1");
        assert_eq!(versions.get("iris", "1"), Some(&2));
        assert_eq!(versions.get("other", "1"), Some(&1));
        assert_eq!(versions.get("iris", "3"), None);
        assert_eq!(versions.iter().count(), 3);
        versions.iter_mut().for_each(|(_, _, count)| *count = 7);
        assert_eq!(versions.get("iris", "2"), Some(&7));
    }

    #[test]
    fn the_version_unused_for_longest_leaves_alone() {
        let mut versions = Versions::new(5, 2);
        push(&mut versions, "iris", "1");
        push(&mut versions, "iris", "2");
        push(&mut versions, "iris", "1");
        let retired = push(&mut versions, "iris", "3");
        assert_eq!(names(&retired), [("iris", "2")]);
        assert_eq!(versions.get("iris", "1"), Some(&2));
    }

    #[test]
    fn a_model_leaves_with_all_its_versions() {
        let mut versions = Versions::new(1, 8);
        push(&mut versions, "a", "1");
        push(&mut versions, "a", "2");
        let retired = push(&mut versions, "b", "1");
        assert_eq!(names(&retired), [("a", "1"), ("a", "2")]);
        assert_eq!(versions.iter().count(), 1);
    }

    #[test]
    fn the_latest_is_the_one_last_used() {
        let mut versions = Versions::new(5, 8);
        assert_eq!(versions.latest(), None);
        push(&mut versions, "a", "1");
        push(&mut versions, "b", "7");
        assert_eq!(versions.latest(), Some(("b", "7")));
        push(&mut versions, "a", "1");
        assert_eq!(versions.latest(), Some(("a", "1")));
    }

    #[test]
    fn tighter_bounds_retire_at_once() {
        let mut versions = Versions::new(5, 8);
        for version in ["1", "2", "3"] {
            push(&mut versions, "a", version);
            push(&mut versions, "b", version);
        }
        let retired = versions.resize(1, 2);
        let expected = [("a", "1"), ("a", "2"), ("a", "3"), ("b", "1")];
        assert_eq!(names(&retired), expected);
        assert_eq!(versions.get("b", "3"), Some(&1));
    }

    #[test]
    fn churn_never_holds_more_than_the_bounds() {
        let mut versions = Versions::new(3, 4);
        for i in 0..10_000 {
            push(
                &mut versions,
                &format!("m{}", i % 7),
                &format!("v{}", i % 11),
            );
        }
        assert!(versions.models.len() <= 3);
        assert!(versions.models.iter().all(|m| m.versions.len() <= 4));
    }
}
