//! Script text in, [`Script`] out. Reads as much as it can; never panics, never recurses past its limit.

use std::sync::Arc;

use super::{
    Arm, Command, Part, Script, SyntaxError, Word,
    lexer::{PendingDocument, is_meta},
};

/// Parses a script. Bytes that are not UTF-8 are kept as far as they are in no name that is looked up.
pub(crate) fn parse(text: &[u8]) -> Script {
    let mut parser = Parser {
        text,
        at: 0,
        line: 1,
        depth: 0,
        documents: Vec::new(),
        from_documents: Vec::new(),
    };
    let mut commands = Vec::new();
    let error = parser
        .list(&[], &mut commands)
        .err()
        .or_else(|| (parser.at < text.len()).then(|| parser.error("a word or bracket that closes nothing")));
    Script { commands, error }
}

/// The cursor and what is pending at it.
pub(super) struct Parser<'a> {
    pub(super) text: &'a [u8],
    pub(super) at: usize,
    pub(super) line: u32,
    pub(super) depth: u32,
    pub(super) documents: Vec<PendingDocument>,
    /// Substitutions in bodies of here-documents, until their list takes them.
    pub(super) from_documents: Vec<Command>,
}

impl<'a> Parser<'a> {
    /// A parser for text that stands within another's, at its depth and line.
    pub(super) fn within(outer: &Parser<'_>, text: &'a [u8]) -> Self {
        Self {
            text,
            at: 0,
            line: outer.line,
            depth: outer.depth,
            documents: Vec::new(),
            from_documents: Vec::new(),
        }
    }

    /// All commands, to the end of the text.
    pub(super) fn whole(&mut self) -> Result<Vec<Command>, SyntaxError> {
        let mut commands = Vec::new();
        self.list(&[], &mut commands)?;
        match self.at < self.text.len() {
            true => Err(self.error("a word or bracket that closes nothing")),
            false => Ok(commands),
        }
    }

    /// Commands up to and including the `)` that ends a substitution or subshell.
    pub(super) fn commands_until_bracket(&mut self) -> Result<Vec<Command>, SyntaxError> {
        let opening = self.error("bracket that nobody closes");
        let mut commands = Vec::new();
        self.list(&[], &mut commands)?;
        match self.eat(")") {
            true => Ok(commands),
            false => Err(opening),
        }
    }

    /// Commands up to, not including, one of `ends`, `)` or `;;`.
    fn list(&mut self, ends: &[&str], commands: &mut Vec<Command>) -> Result<(), SyntaxError> {
        self.enter()?;
        loop {
            self.skip_lines()?;
            commands.append(&mut self.from_documents);
            match self.peek() {
                None | Some(b')') => break,
                Some(b';') if matches!(self.peek_at(1), Some(b';' | b'&')) => break,
                Some(b'&') if self.peek_at(1) != Some(b'&') => {
                    self.bump();
                    if let Some(command) = commands.pop() {
                        commands.push(Command::Background(Box::new(command)));
                    }
                    continue;
                }
                Some(b'&') => {
                    self.bump();
                    self.bump();
                    continue;
                }
                Some(b';') => {
                    self.bump();
                    continue;
                }
                Some(b'|') => {
                    self.bump();
                    continue;
                }
                _ => {}
            }
            if self
                .reserved()
                .is_some_and(|word| ends.contains(&word.as_str()) || is_closing(&word))
            {
                break;
            }
            let before = self.at;
            let command = self.pipeline()?;
            commands.extend(command);
            if self.at == before {
                return Err(self.error("a character that starts no command"));
            }
        }
        commands.append(&mut self.from_documents);
        self.leave();
        Ok(())
    }

    /// The unquoted word at the cursor, when it could be a reserved word.
    fn reserved(&self) -> Option<String> {
        let rest = self.rest();
        let length = rest.iter().position(|&byte| is_meta(byte)).unwrap_or(rest.len());
        let word = rest.get(..length).filter(|word| !word.is_empty() && word.len() <= 8)?;
        std::str::from_utf8(word).ok().map(str::to_owned)
    }

    fn eat_reserved(&mut self, word: &str) -> bool {
        let found = self.reserved().as_deref() == Some(word);
        found && self.eat(word)
    }

    fn expect(&mut self, word: &str, message: &'static str) -> Result<(), SyntaxError> {
        self.skip_lines()?;
        match self.eat_reserved(word) {
            true => Ok(()),
            false => Err(self.error(message)),
        }
    }

    fn pipeline(&mut self) -> Result<Option<Command>, SyntaxError> {
        loop {
            self.skip_blanks();
            if !self.eat_reserved("!") && !self.eat_reserved("time") {
                break;
            }
        }
        let mut members: Vec<Command> = self.command()?.into_iter().collect();
        let mut is_pipeline = false;
        loop {
            self.skip_blanks();
            if self.peek() != Some(b'|') || self.peek_at(1) == Some(b'|') {
                break;
            }
            self.bump();
            self.eat("&");
            self.skip_lines()?;
            is_pipeline = true;
            members.extend(self.command()?);
        }
        Ok(match is_pipeline {
            true => Some(Command::Pipeline(members)),
            false => members.pop(),
        })
    }

    fn command(&mut self) -> Result<Option<Command>, SyntaxError> {
        self.enter()?;
        let command = match self.compound()? {
            Some(command) => Some(self.with_redirects(command)?),
            None => self.simple_or_function()?,
        };
        self.leave();
        Ok(command)
    }

    fn with_redirects(&mut self, command: Command) -> Result<Command, SyntaxError> {
        let mut redirects = Vec::new();
        loop {
            self.skip_blanks();
            match self.redirect()? {
                Some(redirect) => redirects.extend(redirect),
                None => break,
            }
        }
        if redirects.is_empty() {
            return Ok(command);
        }
        Ok(Command::Group {
            commands: vec![command],
            forks: false,
            redirects,
        })
    }

    fn compound(&mut self) -> Result<Option<Command>, SyntaxError> {
        if self.peek() == Some(b'(') {
            if self.peek_at(1) == Some(b'(') && self.is_arithmetic() {
                self.bump();
                let nested = self.arithmetic()?;
                return Ok(Some(Command::Case {
                    words: vec![Word(nested)],
                    arms: Vec::new(),
                }));
            }
            self.bump();
            let commands = self.commands_until_bracket()?;
            return Ok(Some(group(commands, true)));
        }
        let Some(word) = self.reserved() else {
            return Ok(None);
        };
        Ok(Some(match word.as_str() {
            "{" => {
                self.eat("{");
                group(self.body(&["}"], "}", "`{` that nobody closes")?, false)
            }
            "if" => self.condition()?,
            "while" | "until" => {
                self.eat(&word);
                let mut body = self.body(&["do"], "do", "loop without `do`")?;
                body.extend(self.body(&["done"], "done", "loop without `done`")?);
                Command::Loop {
                    variable: None,
                    words: None,
                    body,
                }
            }
            "for" | "select" => {
                self.eat(&word);
                self.for_loop()?
            }
            "case" => {
                self.eat("case");
                self.case()?
            }
            "[[" => {
                self.eat("[[");
                self.test()?
            }
            "function" => {
                self.eat("function");
                self.skip_blanks();
                let name = self
                    .literal_word()?
                    .ok_or_else(|| self.error("function without a name"))?;
                self.skip_blanks();
                if self.eat("(") {
                    self.skip_blanks();
                    self.eat(")");
                }
                self.function(name)?
            }
            _ => return Ok(None),
        }))
    }

    /// A list, and the reserved word that ends it.
    fn body(&mut self, ends: &[&str], end: &str, message: &'static str) -> Result<Vec<Command>, SyntaxError> {
        let mut commands = Vec::new();
        self.list(ends, &mut commands)?;
        self.expect(end, message)?;
        Ok(commands)
    }

    fn condition(&mut self) -> Result<Command, SyntaxError> {
        self.eat("if");
        let mut commands = self.body(&["then"], "then", "`if` without `then`")?;
        loop {
            self.list(&["elif", "else", "fi"], &mut commands)?;
            if self.eat_reserved("elif") {
                commands.extend(self.body(&["then"], "then", "`elif` without `then`")?);
            } else if !self.eat_reserved("else") {
                self.expect("fi", "`if` without `fi`")?;
                return Ok(Command::If(commands));
            }
        }
    }

    fn for_loop(&mut self) -> Result<Command, SyntaxError> {
        self.skip_blanks();
        let (mut variable, mut words) = (None, None);
        if self.peek() == Some(b'(') && self.peek_at(1) == Some(b'(') {
            self.bump();
            let nested = self.arithmetic()?;
            words = Some(vec![Word(nested)]);
        } else {
            variable = self.literal_word()?;
            self.skip_lines()?;
            if self.eat_reserved("in") {
                let mut list = Vec::new();
                loop {
                    self.skip_blanks();
                    match self.word()? {
                        Some(word) => list.push(word),
                        None => break,
                    }
                }
                words = Some(list);
            }
        }
        self.skip_blanks();
        self.eat(";");
        self.expect("do", "`for` without `do`")?;
        let body = self.body(&["done"], "done", "loop without `done`")?;
        Ok(Command::Loop { variable, words, body })
    }

    fn case(&mut self) -> Result<Command, SyntaxError> {
        self.skip_blanks();
        let words: Vec<Word> = self.word()?.into_iter().collect();
        self.expect("in", "`case` without `in`")?;
        let mut arms = Vec::new();
        loop {
            self.skip_lines()?;
            if self.eat_reserved("esac") {
                return Ok(Command::Case { words, arms });
            }
            self.eat("(");
            let mut patterns = Vec::new();
            loop {
                self.skip_blanks();
                patterns.extend(self.word()?);
                self.skip_blanks();
                if !self.eat("|") {
                    break;
                }
            }
            if !self.eat(")") {
                return Err(self.error("pattern of a `case` without `)`"));
            }
            let mut body = Vec::new();
            self.list(&["esac"], &mut body)?;
            arms.push(Arm { patterns, body });
            if !(self.eat(";;&") || self.eat(";;") || self.eat(";&")) {
                self.expect("esac", "`case` without `esac`")?;
                return Ok(Command::Case { words, arms });
            }
        }
    }

    /// After `[[`: only substitutions in it matter.
    fn test(&mut self) -> Result<Command, SyntaxError> {
        let opening = self.error("`[[` that nobody closes");
        let mut words = Vec::new();
        loop {
            self.skip_lines()?;
            if self.eat_reserved("]]") {
                let arms = Vec::new();
                return Ok(Command::Case { words, arms });
            }
            match self.word()? {
                Some(word) => words.push(word),
                None => {
                    self.bump().ok_or_else(|| opening.clone())?;
                }
            }
        }
    }

    pub(super) fn function(&mut self, name: String) -> Result<Command, SyntaxError> {
        self.skip_lines()?;
        let body = self.command()?.ok_or_else(|| self.error("function without a body"))?;
        Ok(Command::Function {
            name,
            body: Arc::new(vec![body]),
        })
    }

    /// A word without any expansion.
    fn literal_word(&mut self) -> Result<Option<String>, SyntaxError> {
        Ok(self.word()?.and_then(|word| match word.0.as_slice() {
            [Part::Text { text, .. }] => Some(text.clone()),
            _ => None,
        }))
    }
}

fn group(commands: Vec<Command>, forks: bool) -> Command {
    Command::Group {
        commands,
        forks,
        redirects: Vec::new(),
    }
}

/// Reserved words that can only close something.
fn is_closing(word: &str) -> bool {
    ["then", "elif", "else", "fi", "do", "done", "esac", "}"].contains(&word)
}

#[cfg(test)]
mod tests;
