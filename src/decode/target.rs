//! Model and version, where a path names them.

use crate::capture::name::verb;

/// What a path names, with the escapes that it is written with.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct Target<'a> {
    /// Not empty.
    pub model: Option<&'a str>,
    /// Not empty.
    pub version: Option<&'a str>,
}

/// The model of a path: `/v1/models/{m}[/versions/{v}][:verb]`, `/v2/models/{m}[/versions/{v}]`
/// with anything below, `/predictions/{m}[/{v}]`, `/explanations/{m}[/{v}]`, `/wfpredict/{m}`, `/models/{m}/invoke`.
pub fn target(path: &str) -> Target<'_> {
    let mut segments = path.split('/').filter(|segment| !segment.is_empty());
    match (segments.next(), segments.next()) {
        (Some("v1"), Some("models")) => below_models(segments, |name| {
            let name = match name.split_once(':') {
                Some((name, _)) => name,
                None => verb(name).map_or(name, |(name, _)| name),
            };
            Some(name).filter(|name| !name.is_empty())
        }),
        (Some("v2"), Some("models")) => below_models(segments, Some),
        (Some("predictions" | "explanations" | "wfpredict"), Some(model)) => Target {
            model: Some(model),
            version: segments.next(),
        },
        (Some("models"), Some(model)) if segments.next() == Some("invoke") => Target {
            model: Some(model),
            version: None,
        },
        _ => Target::default(),
    }
}

/// `named`: the name in a segment, which may end with a verb.
fn below_models<'a>(
    mut segments: impl Iterator<Item = &'a str>,
    named: impl Fn(&'a str) -> Option<&'a str>,
) -> Target<'a> {
    // Triton counts for all models at `stats`
    let model = segments.next().filter(|model| *model != "stats");
    let version = match segments.next() {
        Some("versions") => segments.next(),
        _ => None,
    };
    Target {
        model: model.and_then(&named),
        version: version.and_then(&named),
    }
}

#[cfg(test)]
mod tests {
    use super::target;

    #[test]
    fn a_path_names_model_and_version_or_nothing() {
        for (path, model, version) in [
            ("/v1/models/iris:predict", Some("iris"), None),
            (
                "/v1/models/iris/versions/3:predict",
                Some("iris"),
                Some("3"),
            ),
            ("/v1/models/iris", Some("iris"), None),
            ("/v1/models/iris%3Apredict", Some("iris"), None),
            ("/v2/models/iris/infer", Some("iris"), None),
            (
                "/v2/models/iris/versions/v1.2/infer",
                Some("iris"),
                Some("v1.2"),
            ),
            ("/v2/models/iris/ready", Some("iris"), None),
            ("/predictions/iris/2", Some("iris"), Some("2")),
            ("/models/iris/invoke", Some("iris"), None),
            ("/explanations/iris/2", Some("iris"), Some("2")),
            ("/v1/models/iris:explain", Some("iris"), None),
            ("/v2/models", None, None),
            ("/v2/models/stats", None, None),
            ("/v1/models/:predict", None, None),
            ("/v2/repository/index", None, None),
            ("/predict", None, None),
        ] {
            let found = target(path);
            assert_eq!((found.model, found.version), (model, version), "{path}");
        }
    }
}
