//! Manifests in, manifests out: YAML or JSON of one or many objects.
//!
//! Documents that are not changed leave byte for byte as they came, those that are keep their
//! comments, their order and the way their values are written: a change is an edit of the text
//! (`edit`). What a changed text means is compared with what it should, and where that
//! differs, the object stays as it is and the report says so.

mod edit;
mod object;
mod report;
mod stream;
mod write;
mod yaml;

use std::collections::BTreeSet;

pub(super) use object::is_system;
pub use report::{Line, Outcome as Done};

use self::{
    object::{Kind, Object},
    stream::{Document, Stream},
};
use super::{
    Options, Outcome, Patched, Skip,
    operation::{Operation, apply_all},
    patch,
    service::{self, Seen},
};

/// A file, or what came on the standard input.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Source {
    /// For the report.
    pub name: String,
    /// What it holds.
    pub text: String,
}

/// What comes of all sources together.
#[derive(Debug, Clone, PartialEq)]
pub struct Manifests {
    /// All documents, in their order.
    pub text: String,
    /// One for each object, and for each document that is none.
    pub report: Vec<Line>,
}

/// Puts Sidelight into every workload of `sources`, which are read together: the Service of one file
/// leads to the workload of another.
pub fn inject(sources: &[Source], options: &Options) -> Manifests {
    let mut stream = Stream::of(sources);
    let mut refused = Refused::default();
    // each round refuses something more, or is the last
    loop {
        let plan = Plan::of(&stream, options, &refused);
        let known = refused.clone();
        plan.look_at_services(&mut refused);
        if refused == known {
            let texts = stream.edited(&plan.operations);
            let failed = (0..texts.len()).filter(|&at| texts[at].is_none());
            refused.documents.extend(failed);
            if refused == known {
                let report = report::lines(&stream, plan.outcomes);
                stream.replace(texts);
                return Manifests {
                    text: stream.text(),
                    report,
                };
            }
        }
    }
}

/// Takes Sidelight out of everything in `sources` that it was put into.
pub fn uninject(sources: &[Source]) -> Manifests {
    let mut stream = Stream::of(sources);
    let mut refused = Refused::default();
    loop {
        let mut outcomes = Vec::new();
        let mut operations = vec![Vec::new(); stream.documents.len()];
        for object in &stream.objects {
            let (root, value) = match object.kind {
                Kind::Workload { template } => {
                    (format!("{}{template}", object.path), object.template())
                }
                _ => (object.path.clone(), Some(&object.value)),
            };
            let undo = match value {
                Some(_) if matches!(object.kind, Kind::Other) => Err(None),
                Some(_) if refused.documents.contains(&object.document) => Err(Some(Done::NoEdit)),
                Some(value) => patch::uninject(value).map_err(|skip| Some(Done::Skipped(skip))),
                None => Err(Some(Done::Skipped(Skip::NotAPod))),
            };
            outcomes.push(match undo {
                Ok(undo) => {
                    operations[object.document].extend(undo.into_iter().map(|o| o.below(&root)));
                    Done::Uninjected
                }
                Err(outcome) => outcome.unwrap_or(Done::NoWorkload),
            });
        }
        let texts = stream.edited(&operations);
        let failed: Vec<_> = (0..texts.len()).filter(|&at| texts[at].is_none()).collect();
        if failed.is_empty() {
            let report = report::lines(&stream, outcomes);
            stream.replace(texts);
            return Manifests {
                text: stream.text(),
                report,
            };
        }
        refused.documents.extend(failed);
    }
}

/// What must not be changed, as it turned out.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
struct Refused {
    /// Objects that are Services, by their place: a pod that they choose would not follow.
    services: BTreeSet<usize>,
    /// Documents whose text cannot be edited.
    documents: BTreeSet<usize>,
}

/// What would be done.
struct Plan<'a> {
    stream: &'a Stream,
    /// By document.
    operations: Vec<Vec<Operation>>,
    /// By object.
    outcomes: Vec<Done>,
    /// By Service, what each workload that it chooses would have done to it; `None`: that stays as it is.
    wishes: Vec<Vec<Option<Vec<Operation>>>>,
    /// By Service, whether it leads to a sidecar by the name of a port.
    by_name: Vec<bool>,
}

impl<'a> Plan<'a> {
    fn of(stream: &'a Stream, options: &Options, refused: &Refused) -> Self {
        let objects = &stream.objects;
        let mut plan = Self {
            stream,
            operations: vec![Vec::new(); stream.documents.len()],
            outcomes: vec![Done::NoWorkload; objects.len()],
            wishes: vec![Vec::new(); objects.len()],
            by_name: vec![false; objects.len()],
        };
        for (at, object) in objects.iter().enumerate() {
            if let Kind::Workload { template } = object.kind {
                plan.workload(at, object, template, options, refused);
            }
        }
        for (at, object) in objects.iter().enumerate() {
            if object.kind == Kind::Service {
                plan.service(at, object, refused);
            }
        }
        plan
    }

    fn workload(
        &mut self,
        at: usize,
        object: &Object,
        template: &str,
        options: &Options,
        refused: &Refused,
    ) {
        let chosen: Vec<usize> = self.choosing(object).collect();
        let usable: Vec<usize> = chosen
            .iter()
            .copied()
            .filter(|&s| !refused.services.contains(&s) && self.is_usable(s, refused))
            .collect();
        let outcome = if refused.documents.contains(&object.document) {
            Err(Done::NoEdit)
        } else {
            self.injected(object, &usable, options)
        };
        match outcome {
            Ok(patched) => {
                let root = format!("{}{template}", object.path);
                let operations = patched.operations.iter().cloned().map(|o| o.below(&root));
                self.operations[object.document].extend(operations);
                for service in chosen {
                    let place = usable.iter().position(|&usable| usable == service);
                    let wish = place.map(|place| patched.services[place].clone());
                    self.by_name[service] |= place.is_some_and(|place| patched.led[place].by_name);
                    self.wishes[service].push(Some(wish.unwrap_or_default()));
                }
                self.outcomes[at] = Done::Injected {
                    traffic: patched.traffic,
                    port: patched.port,
                    upstream: patched.upstream,
                };
            }
            Err(outcome) => {
                for service in chosen {
                    self.wishes[service].push(None);
                }
                self.outcomes[at] = outcome;
            }
        }
    }

    fn injected(
        &self,
        object: &Object,
        services: &[usize],
        options: &Options,
    ) -> Result<Patched, Done> {
        if let Some(namespace) = object.namespace().filter(|n| object::is_system(n)) {
            return Err(Done::Skipped(Skip::SystemNamespace(namespace.to_owned())));
        }
        let Some(template) = object.template() else {
            return Err(Done::Skipped(Skip::NotAPod));
        };
        let written: Vec<_> = services
            .iter()
            .map(|&at| move |path: &str| self.stream.written(at, path))
            .collect();
        let seen: Vec<Seen> = services
            .iter()
            .zip(&written)
            .map(|(&at, written)| Seen {
                value: &self.stream.objects[at].value,
                written,
            })
            .collect();
        match patch::inject(template, &seen, options) {
            Outcome::Patched(patched) => Ok(*patched),
            Outcome::Skipped(skip) => Err(Done::Skipped(skip)),
        }
    }

    /// The Services that choose the pods of `object`.
    fn choosing(&self, object: &Object) -> impl Iterator<Item = usize> {
        let template = object.template();
        let objects = self.stream.objects.iter().enumerate();
        objects.filter_map(move |(at, service)| {
            let chooses = service.kind == Kind::Service
                && service.is_beside(object)
                && service::selects(&service.value, template?);
            chooses.then_some(at)
        })
    }

    /// Whether clients go through it, and it may be led elsewhere.
    fn is_usable(&self, at: usize, refused: &Refused) -> bool {
        let service = &self.stream.objects[at];
        !service::is_headless(&service.value)
            && !service::is_redirected(&service.value)
            && !refused.documents.contains(&service.document)
    }

    fn service(&mut self, at: usize, object: &Object, refused: &Refused) {
        let wish = self.wishes[at]
            .iter()
            .flatten()
            .find(|wish| !wish.is_empty());
        self.outcomes[at] = if let Some(wish) = wish {
            let operations = wish.iter().cloned().map(|o| o.below(&object.path));
            self.operations[object.document].extend(operations);
            Done::Redirected
        } else if self.by_name[at] {
            Done::ByName
        } else if service::is_redirected(&object.value) {
            Done::Skipped(Skip::AlreadyInjected)
        } else if refused.services.contains(&at) {
            Done::SharedService
        } else if self.wishes[at].iter().any(Option::is_some) && service::is_headless(&object.value)
        {
            Done::Headless
        } else if refused.documents.contains(&object.document) {
            Done::NoEdit
        } else {
            Done::NoWorkload
        };
    }

    /// A Service must lead all pods that it chooses to the same port: one that would not is left
    /// alone, and its workloads find another way.
    fn look_at_services(&self, refused: &mut Refused) {
        for (at, wishes) in self.wishes.iter().enumerate() {
            let is_changed = wishes.iter().flatten().any(|wish| !wish.is_empty());
            let is_one = wishes.iter().all(|wish| *wish == wishes[0]);
            if is_changed && !is_one {
                refused.services.insert(at);
            }
        }
    }
}

impl Stream {
    /// How what stands at `path` of an object is written, if that is in quotes.
    fn written(&self, object: usize, path: &str) -> Option<String> {
        let object = &self.objects[object];
        let text = &self.documents[object.document].text;
        edit::quoted(text, &format!("{}{path}", object.path))
    }

    /// The text of each document with its operations done; `None` where it would not mean what it should.
    fn edited(&self, operations: &[Vec<Operation>]) -> Vec<Option<String>> {
        let documents = self.documents.iter().zip(operations);
        documents
            .map(|(document, operations)| {
                if operations.is_empty() {
                    return Some(document.text.clone());
                }
                edited(document, operations)
            })
            .collect()
    }
}

fn edited(document: &Document, operations: &[Operation]) -> Option<String> {
    let mut expected = document.value.clone()?;
    apply_all(&mut expected, operations).ok()?;
    let text = edit::edited(&document.text, operations).ok()?;
    let root = yaml::read(&text).ok()??;
    let is_meant = yaml::meaning(&root).ok()? == expected;
    is_meant.then_some(text)
}

#[cfg(test)]
mod tests;
