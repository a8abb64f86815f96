//! The paths that a source names: those of its `use` lines, and those written out in its code.

use super::tokens::{Token, tokens};

/// A path with the line that it stands on.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Named {
    pub(crate) line: usize,
    pub(crate) path: Path,
}

/// Where a path leads.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) enum Path {
    /// Into this package: segments from its root.
    Ours(Vec<String>),
    /// To another crate, or to a name in scope.
    Other(Vec<String>),
}

/// Every path of `source`, the text of the module `module`.
pub(crate) fn named(source: &str, module: &[String]) -> Vec<Named> {
    let mut finder = Finder {
        tokens: tokens(source),
        modules: module.to_vec(),
        inline: Vec::new(),
        depth: 0,
        found: Vec::new(),
    };
    let mut at = 0;
    while at < finder.tokens.len() {
        at = finder.step(at);
    }
    finder.found
}

struct Finder {
    tokens: Vec<Token>,
    modules: Vec<String>,
    /// Brace depths at which the inline modules we are in began.
    inline: Vec<usize>,
    depth: usize,
    found: Vec<Named>,
}

impl Finder {
    fn text(&self, at: usize) -> &str {
        self.tokens.get(at).map_or("", |t| t.text.as_str())
    }

    /// Looks at the token `at`; gives the next to look at.
    fn step(&mut self, at: usize) -> usize {
        match self.text(at) {
            "{" => self.depth += 1,
            "}" => self.close(),
            "mod" if self.text(at + 2) == "{" => {
                self.modules.push(self.text(at + 1).to_owned());
                self.inline.push(self.depth);
                self.depth += 1;
                return at + 3;
            }
            // `use<..>` in a bound captures lifetimes
            "use" if self.text(at + 1) != "<" => return self.tree(at + 1, &[]),
            word if is_name(word) && self.text(at + 1) == "::" => return self.written_out(at),
            _ => {}
        }
        at + 1
    }

    fn close(&mut self) {
        self.depth = self.depth.saturating_sub(1);
        if self.inline.last() == Some(&self.depth) {
            self.inline.pop();
            self.modules.pop();
        }
    }

    /// One tree of a `use` line from the token `at`; gives the first behind it.
    fn tree(&mut self, mut at: usize, prefix: &[String]) -> usize {
        let mut path = prefix.to_vec();
        loop {
            match self.text(at) {
                "::" => at += 1,
                "{" => return self.group(at + 1, &path),
                "*" => {
                    path.push("*".to_owned());
                    at += 1;
                }
                word if is_name(word) => {
                    path.push(word.to_owned());
                    at += 1;
                }
                _ => break,
            }
            if self.text(at) != "::" && self.text(at - 1) != "::" {
                break;
            }
        }
        self.push(at - 1, &path);
        if self.text(at) == "as" { at + 2 } else { at }
    }

    /// The trees between braces, from the one at `at`; gives the first token behind the brace.
    fn group(&mut self, mut at: usize, prefix: &[String]) -> usize {
        loop {
            match self.text(at) {
                "" => return at,
                "}" => return at + 1,
                "," => at += 1,
                _ => {
                    let next = self.tree(at, prefix);
                    at = next.max(at + 1);
                }
            }
        }
    }

    /// A path in the middle of code.
    fn written_out(&mut self, first: usize) -> usize {
        let mut path = vec![self.text(first).to_owned()];
        let mut at = first;
        while self.text(at + 1) == "::" && is_name(self.text(at + 2)) {
            path.push(self.text(at + 2).to_owned());
            at += 2;
        }
        self.push(first, &path);
        at + 1
    }

    fn push(&mut self, at: usize, segments: &[String]) {
        let line = self.tokens.get(at).map_or(0, |t| t.line);
        let path = self.resolve(segments);
        self.found.push(Named { line, path });
    }

    fn resolve(&self, segments: &[String]) -> Path {
        let supers = segments.iter().take_while(|s| *s == "super").count();
        let (mut base, rest) = match segments.first().map(String::as_str) {
            Some("crate" | "sidelight") => (Vec::new(), &segments[1..]),
            Some("self") => (self.modules.clone(), &segments[1..]),
            Some("super") => {
                let up = self.modules.len().saturating_sub(supers);
                (self.modules[..up].to_vec(), &segments[supers..])
            }
            _ => return Path::Other(segments.to_vec()),
        };
        // `{self}` names what stands before it
        base.extend(rest.iter().filter(|s| *s != "self").cloned());
        Path::Ours(base)
    }
}

fn is_name(word: &str) -> bool {
    word.starts_with(|c: char| c.is_alphabetic() || c == '_') && word != "as"
}

#[cfg(test)]
mod tests {
    use super::*;

    /// `module` and the paths as text, those of other crates with a leading `::`.
    fn of(source: &str, module: &str) -> Vec<String> {
        let module: Vec<String> = module.split("::").map(str::to_owned).collect();
        named(source, &module)
            .into_iter()
            .map(|n| match n.path {
                Path::Ours(path) => path.join("::"),
                Path::Other(path) => format!("::{}", path.join("::")),
            })
            .collect()
    }

    #[test]
    fn groups_are_expanded() {
        let source = "use crate::{a::{self, b}, c::*, d as e}; use std::{env, fs};";
        let expected = ["a", "a::b", "c::*", "d", "::std::env", "::std::fs"];
        assert_eq!(of(source, "m::n"), expected);
    }

    #[test]
    fn super_is_counted_from_the_inline_module_it_stands_in() {
        let source = "use super::x; mod tests { use super::*; use super::super::y; } use super::z;";
        assert_eq!(of(source, "m::n"), ["m::x", "m::n::*", "m::y", "m::z"]);
    }

    #[test]
    fn paths_in_code_count_as_well() {
        let source =
            "fn f() -> impl A + use<'_> { let v = crate::a::B::new::<u8>(super::c::d()); }";
        assert_eq!(of(source, "m::n"), ["a::B::new", "m::c::d"]);
    }

    #[test]
    fn a_leading_colon_pair_is_another_crate() {
        assert_eq!(
            of("use ::metrics::Counter;", "proxy"),
            ["::metrics::Counter"]
        );
    }
}
