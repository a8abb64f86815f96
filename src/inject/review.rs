//! What an API server asks of a pod, and what is answered: `AdmissionReview` of
//! `admission.k8s.io/v1`.
//!
//! The answer always allows the pod: a monitor must not stop a deployment. A pod that stays as it is has
//! its reason as a warning, which `kubectl` shows.

use serde::{Deserialize, Serialize};
use serde_json::Value;

use super::{Options, Outcome, Skip, annotations, base64::encoded, manifest::is_system, patch};

const API_VERSION: &str = "admission.k8s.io/v1";
const KIND: &str = "AdmissionReview";

/// Longest warning that `kubectl` shows whole, in characters; longer ones are cut by others.
const LONGEST_WARNING: usize = 256;

#[derive(Debug, Deserialize)]
#[serde(rename_all = "camelCase")]
struct Review {
    api_version: String,
    kind: String,
    request: Request,
}

#[derive(Debug, Deserialize)]
#[serde(rename_all = "camelCase")]
struct Request {
    uid: String,
    kind: GroupKind,
    #[serde(default)]
    namespace: String,
    operation: String,
    #[serde(default)]
    sub_resource: String,
    #[serde(default)]
    object: Value,
}

#[derive(Debug, Deserialize)]
struct GroupKind {
    #[serde(default)]
    group: String,
    kind: String,
}

#[derive(Debug, Serialize)]
#[serde(rename_all = "camelCase")]
struct Answer<'a> {
    api_version: &'a str,
    kind: &'a str,
    response: Response<'a>,
}

#[derive(Debug, Serialize)]
#[serde(rename_all = "camelCase")]
struct Response<'a> {
    uid: &'a str,
    allowed: bool,
    #[serde(skip_serializing_if = "Option::is_none")]
    patch_type: Option<&'a str>,
    #[serde(skip_serializing_if = "Option::is_none")]
    patch: Option<String>,
    #[serde(skip_serializing_if = "Vec::is_empty")]
    warnings: Vec<String>,
}

/// What was asked for is no review of this version. Nothing of its text is told.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
pub enum NoReview {
    /// Not JSON, or not what a review has.
    #[error("the body is no AdmissionReview with a request")]
    Unreadable,
    /// Of another API.
    #[error("the body is no AdmissionReview of admission.k8s.io/v1")]
    Version,
}

/// What is answered, and what is told of it.
#[derive(Debug, Clone, PartialEq)]
pub struct Reviewed {
    /// JSON.
    pub body: Vec<u8>,
    /// Of the pod, if the review has one.
    pub namespace: String,
    /// Its name, or the beginning of it.
    pub pod: String,
    /// Why nothing was changed.
    pub skipped: Option<Skip>,
}

impl Reviewed {
    /// Labels of the metric: `patched` or `skipped`, and the reason.
    pub fn labels(&self) -> [&'static str; 2] {
        match &self.skipped {
            None => ["patched", ""],
            Some(skip) => ["skipped", skip.reason()],
        }
    }
}

/// Answers the review in `body`.
///
/// # Errors
/// It is none.
///
/// # Panics
/// Never: all that is written has texts as keys.
pub fn reviewed(body: &[u8], options: &Options) -> Result<Reviewed, NoReview> {
    let review: Review = serde_json::from_slice(body).map_err(|_| NoReview::Unreadable)?;
    if review.api_version != API_VERSION || review.kind != KIND {
        return Err(NoReview::Version);
    }
    let request = review.request;
    let outcome = decided(&request, options);
    let mut warnings: Vec<String> = annotations::unknown(&request.object)
        .into_iter()
        .map(|key| warning(&format!("the annotation {key} means nothing")))
        .collect();
    let (patch, skipped) = match outcome {
        Outcome::Patched(patched) => (Some(patched.operations), None),
        Outcome::Skipped(skip) => {
            if !skip.is_expected() {
                warnings.insert(
                    0,
                    warning(&format!("not injected ({}): {skip}", skip.reason())),
                );
            }
            (None, Some(skip))
        }
    };
    let patch = patch.map(|operations| {
        encoded(&serde_json::to_vec(&operations).expect("operations have texts as keys"))
    });
    let answer = Answer {
        api_version: API_VERSION,
        kind: KIND,
        response: Response {
            uid: &request.uid,
            allowed: true,
            patch_type: patch.as_ref().map(|_| "JSONPatch"),
            patch,
            warnings,
        },
    };
    Ok(Reviewed {
        body: serde_json::to_vec(&answer).expect("an answer has texts as keys"),
        pod: name(&request.object),
        namespace: request.namespace,
        skipped,
    })
}

fn decided(request: &Request, options: &Options) -> Outcome {
    let is_pod = request.kind.group.is_empty() && request.kind.kind == "Pod";
    if !is_pod || request.operation != "CREATE" || !request.sub_resource.is_empty() {
        return Outcome::Skipped(Skip::NotAPod);
    }
    if is_system(&request.namespace) {
        return Outcome::Skipped(Skip::SystemNamespace(request.namespace.clone()));
    }
    // which Services choose it is not asked: a webhook that needs the API server to answer it could
    // keep a cluster from starting
    patch::inject(&request.object, &[], options)
}

fn name(pod: &Value) -> String {
    let metadata = &pod["metadata"];
    let name = metadata["name"]
        .as_str()
        .or_else(|| metadata["generateName"].as_str());
    name.unwrap_or_default().to_owned()
}

fn warning(text: &str) -> String {
    let text = format!("sidelight: {text}");
    text.chars().take(LONGEST_WARNING).collect()
}

#[cfg(test)]
mod tests;
