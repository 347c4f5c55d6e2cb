//! The small boolean language of `when`: `==`, `!=`, `in`, `&&`, `||`, `!`, parentheses, literals, `has(use.x)`,
//! `cluster.api("group/version")`. Only syntax; what a path means is the business of `scope`.

use serde_json::Value as Json;

use crate::yaml::{Located, Node, Problem, Problems, Span};

/// A parsed expression and where it stands.
#[derive(Debug, Clone, PartialEq)]
pub(super) struct Expression {
    pub(super) tree: Tree,
    pub(super) at: Span,
}

/// The shape of an expression.
#[derive(Debug, Clone, PartialEq)]
pub(super) enum Tree {
    /// Either holds.
    Or(Box<Self>, Box<Self>),
    /// Both hold.
    And(Box<Self>, Box<Self>),
    /// It does not hold.
    Not(Box<Self>),
    /// Both sides are the same.
    Equal(Operand, Operand),
    /// The left one is among the right one's items, keys or letters.
    In(Operand, Operand),
    /// It is neither false, nothing, empty nor zero.
    Truth(Operand),
    /// What stands at a path is there.
    Has(String),
    /// The cluster serves an API.
    Api(String),
}

/// A side of a comparison.
#[derive(Debug, Clone, PartialEq)]
pub(super) enum Operand {
    /// A path such as `param.mode`.
    Path(String),
    /// A literal.
    Literal(Json),
    /// A list.
    List(Vec<Self>),
}

/// Reads the value of a `when`; a lone `true` or `false` is one too.
pub(super) fn read(value: &Located, problems: &mut Problems) -> Option<Expression> {
    let at = value.span.clone();
    match &value.node {
        Node::Bool(flag) => {
            Some(Expression { tree: Tree::Truth(Operand::Literal(Json::Bool(*flag))), at })
        }
        Node::Text(text) => match parse(text) {
            Ok(tree) => Some(Expression { tree, at }),
            Err(why) => {
                let message = format!("`{text}` is no condition: {why}");
                problems.push(Problem::error("condition-syntax", message).at(&at).help(
                    "a condition looks like: param.mode == \"standalone\" && has(use.store)",
                ));
                None
            }
        },
        Node::Null | Node::Number(_) | Node::List(_) | Node::Map(_) => {
            super::fields::wrong(value, "when", "a condition", problems);
            None
        }
    }
}

#[derive(Debug, Clone, PartialEq)]
enum Token {
    Symbol(&'static str),
    Word(String),
    Literal(Json),
}

const SYMBOLS: [&str; 10] = ["==", "!=", "&&", "||", "!", "(", ")", "[", "]", ","];

/// Deeper than any condition a person writes.
const MOST_DEPTH: usize = 50;

/// Reads an expression.
pub(super) fn parse(text: &str) -> Result<Tree, String> {
    let mut parser = Parser { tokens: tokens(text)?, at: 0, depth: 0 };
    let tree = parser.either()?;
    match parser.peek() {
        None => Ok(tree),
        Some(token) => Err(format!("{} is too much", shown(token))),
    }
}

fn shown(token: &Token) -> String {
    match token {
        Token::Symbol(symbol) => format!("`{symbol}`"),
        Token::Word(word) => format!("`{word}`"),
        Token::Literal(json) => format!("`{json}`"),
    }
}

fn is_word(c: char) -> bool {
    c.is_ascii_alphanumeric() || matches!(c, '_' | '-' | '.')
}

fn tokens(text: &str) -> Result<Vec<Token>, String> {
    let mut found = Vec::new();
    let mut rest = text.trim_start();
    while let Some(first) = rest.chars().next() {
        let taken = if let Some(symbol) = SYMBOLS.iter().find(|s| rest.starts_with(**s)) {
            found.push(Token::Symbol(symbol));
            symbol.len()
        } else if matches!(first, '"' | '\'') {
            let inside = rest.get(1..).unwrap_or_default();
            let end = inside.find(first).ok_or("a quotation mark is not closed")?;
            let literal = inside.get(..end).unwrap_or_default();
            found.push(Token::Literal(Json::String(literal.to_owned())));
            end + 2
        } else if is_word(first) {
            let end = rest.find(|c| !is_word(c)).unwrap_or(rest.len());
            found.push(word(rest.get(..end).unwrap_or_default()));
            end
        } else {
            return Err(format!("`{first}` has no meaning here"));
        };
        rest = rest.get(taken..).unwrap_or_default().trim_start();
    }
    Ok(found)
}

fn word(text: &str) -> Token {
    match text {
        "true" => Token::Literal(Json::Bool(true)),
        "false" => Token::Literal(Json::Bool(false)),
        "null" => Token::Literal(Json::Null),
        _ => match serde_json::from_str::<serde_json::Number>(text) {
            Ok(number) => Token::Literal(Json::Number(number)),
            Err(_) => Token::Word(text.to_owned()),
        },
    }
}

struct Parser {
    tokens: Vec<Token>,
    at: usize,
    depth: usize,
}

impl Parser {
    fn peek(&self) -> Option<&Token> {
        self.tokens.get(self.at)
    }

    fn next(&mut self) -> Result<Token, String> {
        let token = self.peek().cloned().ok_or("it ends too early")?;
        self.at += 1;
        Ok(token)
    }

    fn skip(&mut self, symbol: &str) -> bool {
        let here = matches!(self.peek(), Some(Token::Symbol(s)) if *s == symbol);
        self.at += usize::from(here);
        here
    }

    fn expect(&mut self, symbol: &str) -> Result<(), String> {
        if self.skip(symbol) { Ok(()) } else { Err(format!("`{symbol}` is missing")) }
    }

    fn either(&mut self) -> Result<Tree, String> {
        let mut left = self.both()?;
        while self.skip("||") {
            left = Tree::Or(Box::new(left), Box::new(self.both()?));
        }
        Ok(left)
    }

    fn both(&mut self) -> Result<Tree, String> {
        let mut left = self.single()?;
        while self.skip("&&") {
            left = Tree::And(Box::new(left), Box::new(self.single()?));
        }
        Ok(left)
    }

    fn single(&mut self) -> Result<Tree, String> {
        self.depth += 1;
        if self.depth > MOST_DEPTH {
            return Err(format!("it is nested more than {MOST_DEPTH} deep"));
        }
        let tree = self.comparison();
        self.depth -= 1;
        tree
    }

    fn comparison(&mut self) -> Result<Tree, String> {
        if self.skip("!") {
            return Ok(Tree::Not(Box::new(self.single()?)));
        }
        if self.skip("(") {
            let inside = self.either()?;
            self.expect(")")?;
            return Ok(inside);
        }
        if let Some(call) = self.call()? {
            return Ok(call);
        }
        let left = self.operand()?;
        if self.skip("==") {
            return Ok(Tree::Equal(left, self.operand()?));
        }
        if self.skip("!=") {
            return Ok(Tree::Not(Box::new(Tree::Equal(left, self.operand()?))));
        }
        if matches!(self.peek(), Some(Token::Word(word)) if word == "in") {
            self.at += 1;
            return Ok(Tree::In(left, self.operand()?));
        }
        Ok(Tree::Truth(left))
    }

    /// `has(use.x)` or `cluster.api("group/version")`.
    fn call(&mut self) -> Result<Option<Tree>, String> {
        let (Some(Token::Word(name)), Some(Token::Symbol("("))) =
            (self.peek().cloned(), self.tokens.get(self.at + 1))
        else {
            return Ok(None);
        };
        self.at += 2;
        let argument = self.next()?;
        self.expect(")")?;
        match (name.as_str(), argument) {
            ("has", Token::Word(path)) => Ok(Some(Tree::Has(path))),
            ("cluster.api", Token::Literal(Json::String(api))) => Ok(Some(Tree::Api(api))),
            ("has", _) => Err("`has` takes a path such as `use.store`".to_owned()),
            ("cluster.api", _) => Err("`cluster.api` takes a quoted `group/version`".to_owned()),
            _ => Err(format!("there is no `{name}(…)`; known: `has`, `cluster.api`")),
        }
    }

    fn operand(&mut self) -> Result<Operand, String> {
        match self.next()? {
            Token::Literal(json) => Ok(Operand::Literal(json)),
            Token::Word(path) if path.contains('.') || path == "item" => Ok(Operand::Path(path)),
            Token::Word(word) => {
                Err(format!("`{word}` is neither a path nor a literal; text is quoted"))
            }
            Token::Symbol("[") => {
                let mut items = Vec::new();
                while !self.skip("]") {
                    items.push(self.operand()?);
                    if !self.skip(",") {
                        self.expect("]")?;
                        break;
                    }
                }
                Ok(Operand::List(items))
            }
            Token::Symbol(symbol) => Err(format!("`{symbol}` stands where a value belongs")),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_well_formed_is_read() {
        for text in [
            "param.mode == \"standalone\"",
            "param.a == 1 && !(param.b in ['x', \"y\"] || has(use.x))",
            "cluster.api(\"monitoring.coreos.com/v1\") && !cluster.simulated",
            "param.x != null",
            "!param.auth",
            "item.index == 0",
            "true",
        ] {
            assert!(parse(text).is_ok(), "{text}: {:?}", parse(text));
        }
    }

    #[test]
    fn and_binds_closer_than_or() {
        let tree = parse("param.a || param.b && param.c").unwrap();
        assert!(matches!(tree, Tree::Or(_, right) if matches!(*right, Tree::And(..))));
    }

    #[test]
    fn what_is_not_well_formed_says_why() {
        let table = [
            ("", "it ends too early"),
            ("param.a ==", "it ends too early"),
            ("param.a = 1", "`=` has no meaning here"),
            ("standalone", "`standalone` is neither a path nor a literal; text is quoted"),
            ("(param.a", "`)` is missing"),
            ("param.a param.b", "`param.b` is too much"),
            ("has(\"x\")", "`has` takes a path such as `use.store`"),
            ("exists(use.x)", "there is no `exists(…)`; known: `has`, `cluster.api`"),
            ("param.a == 'x", "a quotation mark is not closed"),
        ];
        for (text, why) in table {
            assert_eq!(parse(text), Err(why.to_owned()), "{text}");
        }
        assert!(parse(&"!".repeat(1000)).is_err());
        assert!(parse(&"(".repeat(1000)).is_err());
    }
}
