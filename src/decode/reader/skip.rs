//! Values that nobody wants, stepped over without recursion.

use super::{Reader, Stop};

impl Reader<'_> {
    /// Steps over the elements of a list, of which one is next.
    pub(super) fn skip_elements(&mut self) -> Result<(), Stop> {
        loop {
            self.skip_soon()?;
            if self.peek()? != b',' {
                return Ok(());
            }
            self.at += 1;
        }
    }

    /// Steps over the fields of an object, of which one is next.
    pub(super) fn skip_fields(&mut self) -> Result<(), Stop> {
        loop {
            self.skip_name()?;
            self.skip_soon()?;
            if self.peek()? != b',' {
                return Ok(());
            }
            self.at += 1;
        }
    }

    /// The same as [`Self::skip`], at once where it is a number or a string.
    #[inline]
    fn skip_soon(&mut self) -> Result<(), Stop> {
        match self.peek()? {
            b'0'..=b'9' if matches!(self.bytes.get(self.at + 1), Some(b',' | b']' | b'}')) => {
                self.at += 1;
                Ok(())
            }
            b'0'..=b'9' => self.skip_number(),
            b'"' => self.skip_string(),
            _ => self.skip(),
        }
    }

    /// Steps over one value.
    pub(super) fn skip(&mut self) -> Result<(), Stop> {
        self.open.clear();
        loop {
            if self.skip_to_end()? {
                continue;
            }
            if self.close()? {
                return Ok(());
            }
        }
    }

    /// Steps over a value, or into it; `true`: to where another must begin.
    #[inline]
    fn skip_to_end(&mut self) -> Result<bool, Stop> {
        match self.peek()? {
            b'0'..=b'9' if matches!(self.bytes.get(self.at + 1), Some(b',' | b']' | b'}')) => {
                self.at += 1;
            }
            b'0'..=b'9' | b'-' => self.skip_number()?,
            b'"' => self.skip_string()?,
            b'[' => {
                self.at += 1;
                if self.peek()? != b']' {
                    self.open.push(b']');
                    return Ok(true);
                }
                self.at += 1;
            }
            b'{' => {
                self.at += 1;
                if self.peek()? != b'}' {
                    self.open.push(b'}');
                    self.skip_name()?;
                    return Ok(true);
                }
                self.at += 1;
            }
            byte => {
                self.constant(byte)?;
            }
        }
        Ok(false)
    }

    /// Behind a value: steps to where the next must begin, over all that ends here; `true`: nothing is
    /// open.
    #[inline]
    fn close(&mut self) -> Result<bool, Stop> {
        while let Some(end) = self.open.last().copied() {
            let byte = self.peek()?;
            self.at += 1;
            if byte == b',' {
                if end == b'}' {
                    self.skip_name()?;
                }
                return Ok(false);
            }
            if byte != end {
                return Err(Stop::Syntax);
            }
            self.open.pop();
        }
        Ok(true)
    }

    fn skip_name(&mut self) -> Result<(), Stop> {
        if self.peek()? != b'"' {
            return Err(Stop::Syntax);
        }
        self.skip_string()?;
        self.expect(b':')
    }

    #[inline]
    fn skip_number(&mut self) -> Result<(), Stop> {
        let start = self.at;
        let first = start + usize::from(self.bytes.get(start) == Some(&b'-'));
        let end = digits_end(self.bytes, first);
        if end == first || (end - first > 1 && self.bytes.get(first) == Some(&b'0')) {
            return self.number().map(drop);
        }
        self.at = end;
        match self.bytes.get(end) {
            // what may be infinite
            Some(b'.' | b'e' | b'E') => self.skip_real(start),
            _ if end - first > 300 => self.skip_long(start),
            _ => Ok(()),
        }
    }

    fn skip_real(&mut self, start: usize) -> Result<(), Stop> {
        if self.bytes.get(self.at) == Some(&b'.') {
            let first = self.at + 1;
            let end = digits_end(self.bytes, first);
            if end == first {
                return Err(Stop::Syntax);
            }
            self.at = end;
        }
        let mut scale = 0;
        if matches!(self.bytes.get(self.at), Some(b'e' | b'E')) {
            scale = self.exponent()?;
        }
        if scale > 100 || self.at - start > 200 {
            return self.skip_long(start);
        }
        Ok(())
    }

    /// A number that may be beyond the largest float.
    fn skip_long(&mut self, start: usize) -> Result<(), Stop> {
        self.at = start;
        self.number().map(drop)
    }
}

/// Where the digits from `at` on end.
#[inline]
fn digits_end(bytes: &[u8], mut at: usize) -> usize {
    while bytes.get(at).is_some_and(u8::is_ascii_digit) {
        at += 1;
    }
    at
}
