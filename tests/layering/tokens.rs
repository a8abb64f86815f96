//! Rust source as tokens with their lines: enough to find paths, with comments and literals gone.

/// A word, `::`, or one other character.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Token {
    pub(crate) text: String,
    /// From 1.
    pub(crate) line: usize,
}

/// The tokens of `source`.
pub(crate) fn tokens(source: &str) -> Vec<Token> {
    let mut reader = Reader {
        chars: source.chars().collect(),
        at: 0,
        line: 1,
        tokens: Vec::new(),
    };
    while reader.step() {}
    reader.tokens
}

struct Reader {
    chars: Vec<char>,
    at: usize,
    line: usize,
    tokens: Vec<Token>,
}

impl Reader {
    fn peek(&self, ahead: usize) -> Option<char> {
        self.chars.get(self.at + ahead).copied()
    }

    fn advance(&mut self, count: usize) {
        for _ in 0..count {
            if self.peek(0) == Some('\n') {
                self.line += 1;
            }
            self.at += 1;
        }
    }

    fn push(&mut self, text: String) {
        let line = self.line;
        self.tokens.push(Token { text, line });
    }

    /// Reads one token or skips one thing that is none; false at the end.
    fn step(&mut self) -> bool {
        let Some(first) = self.peek(0) else {
            return false;
        };
        match (first, self.peek(1)) {
            ('/', Some('/')) => self.skip_while(|c| c != '\n'),
            ('/', Some('*')) => self.skip_block_comment(),
            ('"', _) => self.skip_string(),
            ('\'', _) => self.skip_quote(),
            (':', Some(':')) => {
                self.push("::".to_owned());
                self.advance(2);
            }
            _ if is_word(first) => self.word(),
            _ if first.is_whitespace() => self.advance(1),
            _ => {
                self.push(first.to_string());
                self.advance(1);
            }
        }
        true
    }

    fn skip_while(&mut self, skip: impl Fn(char) -> bool) {
        while self.peek(0).is_some_and(&skip) {
            self.advance(1);
        }
    }

    fn skip_block_comment(&mut self) {
        let mut depth = 0;
        while let Some(first) = self.peek(0) {
            match (first, self.peek(1)) {
                ('/', Some('*')) => depth += 1,
                ('*', Some('/')) => depth -= 1,
                _ => {
                    self.advance(1);
                    continue;
                }
            }
            self.advance(2);
            if depth == 0 {
                return;
            }
        }
    }

    fn skip_string(&mut self) {
        self.advance(1);
        while let Some(c) = self.peek(0) {
            self.advance(if c == '\\' { 2 } else { 1 });
            if c == '"' {
                return;
            }
        }
    }

    /// A character literal, or the quote of a lifetime, whose name is then read as a word.
    fn skip_quote(&mut self) {
        match (self.peek(1), self.peek(2)) {
            (Some('\\'), _) => {
                self.advance(3);
                self.skip_while(|c| c != '\'');
                self.advance(1);
            }
            (Some(_), Some('\'')) => self.advance(3),
            _ => self.advance(1),
        }
    }

    fn word(&mut self) {
        let end = (self.at..self.chars.len())
            .find(|&i| !is_word(self.chars[i]))
            .unwrap_or(self.chars.len());
        let word: String = self.chars[self.at..end].iter().collect();
        let next = self.chars.get(end).copied();
        let is_prefix = matches!(word.as_str(), "r" | "br" | "cr");
        if is_prefix && matches!(next, Some('"' | '#')) {
            self.advance(word.len());
            self.skip_raw();
        } else {
            let length = end - self.at;
            self.push(word);
            self.advance(length);
        }
    }

    /// A raw string from its first `#` or quote on; of a raw identifier only the `#`.
    fn skip_raw(&mut self) {
        let hashes = self.chars[self.at..]
            .iter()
            .take_while(|&&c| c == '#')
            .count();
        self.advance(hashes);
        if self.peek(0) != Some('"') {
            return;
        }
        self.advance(1);
        while let Some(c) = self.peek(0) {
            self.advance(1);
            if c == '"' && (0..hashes).all(|i| self.peek(i) == Some('#')) {
                self.advance(hashes);
                return;
            }
        }
    }
}

fn is_word(c: char) -> bool {
    c.is_alphanumeric() || c == '_'
}

#[cfg(test)]
mod tests {
    use super::*;

    fn words(source: &str) -> Vec<String> {
        tokens(source)
            .into_iter()
            .map(|t| t.text)
            .filter(|t| t.chars().all(is_word))
            .collect()
    }

    #[test]
    fn comments_and_literals_hold_no_words() {
        let source =
            "a // x\n/* x /* x */ x */ b \"x \\\" x\" c 'x' d '\\'' e r#\"x\"x\"# f b\"x\" g";
        assert_eq!(words(source), ["a", "b", "c", "d", "e", "f", "b", "g"]);
    }

    #[test]
    fn lifetimes_do_not_swallow_what_follows() {
        assert_eq!(
            words("fn f<'a>(x: &'a str) {}"),
            ["fn", "f", "a", "x", "a", "str"]
        );
    }

    #[test]
    fn lines_are_counted_through_strings_and_comments() {
        let found = tokens("\"a\nb\" /*\n*/ x");
        assert_eq!((found[0].text.as_str(), found[0].line), ("x", 3));
    }
}
