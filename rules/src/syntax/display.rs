//! A tree as text, in the form in which upstream prints compiled conditions.

use std::fmt::{self, Write};

use super::{
    ast::{Expr, ExprKind, Operand, OperandKind, Right},
    escape::write_constant,
};

/// What stands for a macro's name when a tree is written.
pub(crate) type Expand<'a> = &'a dyn Fn(&str) -> Option<&'a Expr>;

impl Expr {
    /// Writes the tree; macros that `expand` knows are replaced by their own trees.
    pub(crate) fn write<'a>(&'a self, expand: Expand<'a>, f: &mut dyn Write) -> fmt::Result {
        match &self.kind {
            ExprKind::And(parts) => write_joined(parts, " and ", expand, f),
            ExprKind::Or(parts) => write_joined(parts, " or ", expand, f),
            ExprKind::Not(inner) => {
                f.write_str("not ")?;
                inner.write(expand, f)
            }
            ExprKind::Macro(name) => match expand(name) {
                Some(tree) => tree.write(expand, f),
                None => f.write_str(name),
            },
            ExprKind::Exists(operand) => {
                operand.write(f)?;
                f.write_str(" exists")
            }
            ExprKind::Compare {
                left,
                operator,
                modifier,
                right,
            } => {
                left.write(f)?;
                write!(f, " {} ", operator.as_str())?;
                if let Some(modifier) = modifier {
                    write!(f, "{} ", modifier.as_str())?;
                }
                right.write(f)
            }
        }
    }
}

fn write_joined<'a>(parts: &'a [Expr], word: &str, expand: Expand<'a>, f: &mut dyn Write) -> fmt::Result {
    f.write_char('(')?;
    for (index, part) in parts.iter().enumerate() {
        if index > 0 {
            f.write_str(word)?;
        }
        part.write(expand, f)?;
    }
    f.write_char(')')
}

impl Operand {
    /// Writes it as it reads in a condition.
    pub(crate) fn write(&self, f: &mut dyn Write) -> fmt::Result {
        match &self.kind {
            OperandKind::Field { name, argument } => {
                f.write_str(name)?;
                write_argument(argument.as_deref(), f)
            }
            OperandKind::Transform {
                transformer,
                arguments,
                argument,
            } => {
                f.write_str(transformer.as_str())?;
                write_operands(arguments, f)?;
                write_argument(argument.as_deref(), f)
            }
            OperandKind::Literal(text) => write_constant(text, f),
            OperandKind::List(items) => write_operands(items, f),
        }
    }
}

fn write_argument(argument: Option<&str>, f: &mut dyn Write) -> fmt::Result {
    match argument {
        Some(argument) if argument.contains(['[', ']', '"', '\'']) => write!(f, "[{argument:?}]"),
        Some(argument) => write!(f, "[{argument}]"),
        None => Ok(()),
    }
}

fn write_operands(operands: &[Operand], f: &mut dyn Write) -> fmt::Result {
    f.write_char('(')?;
    for (index, operand) in operands.iter().enumerate() {
        if index > 0 {
            f.write_char(',')?;
        }
        operand.write(f)?;
    }
    f.write_char(')')
}

impl Right {
    fn write(&self, f: &mut dyn Write) -> fmt::Result {
        match self {
            Self::Value(constant) => write_constant(&constant.text, f),
            Self::Operand(operand) => operand.write(f),
            Self::List(constants) => {
                f.write_char('(')?;
                for (index, constant) in constants.iter().enumerate() {
                    if index > 0 {
                        f.write_str(", ")?;
                    }
                    write_constant(&constant.text, f)?;
                }
                f.write_char(')')
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use crate::syntax::parse;

    fn shown(text: &str) -> String {
        let tree = parse(text).unwrap_or_else(|error| panic!("{text}: {error:?}"));
        let mut out = String::new();
        tree.write(&|_| None, &mut out).unwrap();
        out
    }

    #[test]
    fn reads_what_upstream_reads() {
        for (text, expected) in [
            ("a.b=1", "a.b = 1"),
            (
                "a.b == 1 and(c.d in(x,y) or not m)",
                "(a.b = 1 and (c.d in (x, y) or not m))",
            ),
            ("not not a.b exists", "a.b exists"),
            ("not(a.b=1)", "not a.b = 1"),
            ("a.b contains oneof (x, \"y z\")", "a.b contains oneof (x, \"y z\")"),
            ("a.b = oneof and m", "(a.b = oneof and m)"),
            ("a.b startswith anyof names", "a.b startswith anyof (names)"),
            ("proc.aname[2] = 'x'", "proc.aname[2] = x"),
            ("evt.dir = < and evt.dir=>", "(evt.dir = < and evt.dir = >)"),
            (
                "a.b = val(c.d) or tolower(a.b) = toupper(c.d)",
                "(a.b = val(c.d) or tolower(a.b) = toupper(c.d))",
            ),
            ("join(\",\", (a.b, c.d)) contains x", "join(\",\",(a.b,c.d)) contains x"),
            ("a.b in (\"x,y\", z)", "a.b in (\"x,y\", z)"),
            ("a.b in ()", "a.b in ()"),
            ("a.b < -5 and c.d >= 0x1F", "(a.b < -5 and c.d >= 0x1F)"),
            ("a.b = \"\\\"x\\\\\\\"\"", "a.b = \"\\\"x\\\\\\\"\""),
            ("ka.req.pod[\"a b\"] exists", "ka.req.pod[a b] exists"),
        ] {
            assert_eq!(shown(text), expected, "{text}");
        }
    }

    #[test]
    fn says_where_it_stopped() {
        for (text, part, message) in [
            ("a.b = 1 and", "d", "expected blank or '(' after 'and'"),
            (
                "a.b = 1 and )",
                ")",
                "expected a '(' token, a field check, or an identifier",
            ),
            ("(a.b = 1", "(", "expected a ')' token"),
            ("a.b = 1)", ")", "unexpected token after '1', expecting 'or', 'and'"),
            ("a.b contain x", "contain", "expected a valid check operator"),
            ("a.b in (x y)", "y", "expected a ')' token"),
            ("a.b > x", "x", "expected a number value"),
        ] {
            let error = parse(text).unwrap_err();
            assert_eq!(&text[error.span.clone()], part, "{text}: {error:?}");
            assert!(error.message.starts_with(message), "{text}: {error:?}");
        }
        assert_eq!(
            parse("a.b contain x").unwrap_err().hint.unwrap(),
            "did you mean `contains`?"
        );
    }

    #[test]
    fn a_depth_bomb_is_an_error() {
        let text = format!("{}a.b=1{}", "(".repeat(100_000), ")".repeat(100_000));
        assert!(parse(&text).unwrap_err().message.contains("deeper"));
        let text = format!("{}a.b{} = x", "tolower(".repeat(100_000), ")".repeat(100_000));
        assert!(parse(&text).unwrap_err().message.contains("deeper"));
        let text = format!("{}a.b=1", "not ".repeat(100_000));
        assert!(parse(&text).is_ok());
    }
}
