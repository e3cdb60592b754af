//! The tree of one condition, lists put in, macros still names.

use std::ops::Range;

/// A part of a condition that is true or false.
#[derive(Debug, Clone, PartialEq)]
pub(crate) struct Expr {
    /// What it is.
    pub(crate) kind: ExprKind,
    /// Bytes of the condition's text.
    pub(crate) span: Range<usize>,
}

/// The kinds of [`Expr`].
#[derive(Debug, Clone, PartialEq)]
pub(crate) enum ExprKind {
    /// All are true.
    And(Vec<Expr>),
    /// One is true.
    Or(Vec<Expr>),
    /// It is false.
    Not(Box<Expr>),
    /// Whatever the macro of that name says.
    Macro(String),
    /// The operand has a value.
    Exists(Operand),
    /// The operand has a value and the operator holds.
    Compare {
        /// Left side.
        left: Operand,
        /// What is compared.
        operator: Operator,
        /// How many values of the right side must hold; `None`: the operator's own way.
        modifier: Option<Modifier>,
        /// Right side.
        right: Right,
    },
}

/// Something that has values.
#[derive(Debug, Clone, PartialEq)]
pub(crate) struct Operand {
    /// What it is.
    pub(crate) kind: OperandKind,
    /// Bytes of the condition's text.
    pub(crate) span: Range<usize>,
}

/// The kinds of [`Operand`].
#[derive(Debug, Clone, PartialEq)]
pub(crate) enum OperandKind {
    /// `proc.aname[2]`
    Field {
        /// `proc.aname`
        name: String,
        /// `2`
        argument: Option<String>,
    },
    /// `tolower(proc.name)`
    Transform {
        /// Which.
        transformer: Transformer,
        /// What is transformed.
        arguments: Vec<Operand>,
        /// The argument behind it: `getopt(…)[x]`.
        argument: Option<String>,
    },
    /// A constant within a transformer.
    Literal(String),
    /// `(proc.name, "x")` within a transformer.
    List(Vec<Operand>),
}

/// The right side of a comparison.
#[derive(Debug, Clone, PartialEq)]
pub(crate) enum Right {
    /// One constant.
    Value(Constant),
    /// Several constants.
    List(Vec<Constant>),
    /// `val(proc.pname)`, `tolower(proc.pname)`.
    Operand(Operand),
}

/// A constant as written, escapes resolved.
#[derive(Debug, Clone, PartialEq)]
pub(crate) struct Constant {
    /// Its text.
    pub(crate) text: String,
    /// Bytes of the condition's text.
    pub(crate) span: Range<usize>,
}

/// Comparison operators.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub(crate) enum Operator {
    Equal,
    NotEqual,
    Less,
    LessOrEqual,
    Greater,
    GreaterOrEqual,
    Contains,
    IContains,
    BContains,
    StartsWith,
    BStartsWith,
    EndsWith,
    Glob,
    IGlob,
    Regex,
    In,
    Intersects,
    PMatch,
}

impl Operator {
    /// As written.
    pub(crate) fn as_str(self) -> &'static str {
        match self {
            Self::Equal => "=",
            Self::NotEqual => "!=",
            Self::Less => "<",
            Self::LessOrEqual => "<=",
            Self::Greater => ">",
            Self::GreaterOrEqual => ">=",
            Self::Contains => "contains",
            Self::IContains => "icontains",
            Self::BContains => "bcontains",
            Self::StartsWith => "startswith",
            Self::BStartsWith => "bstartswith",
            Self::EndsWith => "endswith",
            Self::Glob => "glob",
            Self::IGlob => "iglob",
            Self::Regex => "regex",
            Self::In => "in",
            Self::Intersects => "intersects",
            Self::PMatch => "pmatch",
        }
    }

    /// Operators on one text: the ones that `oneof`, `anyof` and `allof` may follow.
    pub(crate) const WITH_MODIFIER: [Self; 11] = [
        Self::Equal,
        Self::NotEqual,
        Self::Contains,
        Self::IContains,
        Self::BContains,
        Self::StartsWith,
        Self::BStartsWith,
        Self::EndsWith,
        Self::Glob,
        Self::IGlob,
        Self::Regex,
    ];

    /// Operators that take a list.
    pub(crate) const ON_LISTS: [Self; 3] = [Self::Intersects, Self::In, Self::PMatch];

    /// Operators that take a number.
    pub(crate) const ON_NUMBERS: [Self; 4] = [Self::LessOrEqual, Self::Less, Self::GreaterOrEqual, Self::Greater];
}

/// How many constants of the right side must hold.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
#[expect(clippy::enum_variant_names, reason = "these are the words of the language")]
pub(crate) enum Modifier {
    /// Exactly one.
    OneOf,
    /// At least one.
    AnyOf,
    /// All.
    AllOf,
}

impl Modifier {
    /// All of them.
    pub(crate) const ALL: [Self; 3] = [Self::OneOf, Self::AnyOf, Self::AllOf];

    /// As written.
    pub(crate) fn as_str(self) -> &'static str {
        match self {
            Self::OneOf => "oneof",
            Self::AnyOf => "anyof",
            Self::AllOf => "allof",
        }
    }
}

/// Functions from values to values.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub(crate) enum Transformer {
    /// The value itself: marks a field on the right side.
    Val,
    ToLower,
    ToUpper,
    /// Decodes base64.
    B64,
    BaseName,
    /// Length of a text, count of a list.
    Len,
    Join,
    Concat,
    GetOpt,
}

impl Transformer {
    /// All of them.
    pub(crate) const ALL: [Self; 9] = [
        Self::Val,
        Self::ToLower,
        Self::ToUpper,
        Self::B64,
        Self::BaseName,
        Self::Len,
        Self::Join,
        Self::Concat,
        Self::GetOpt,
    ];

    /// As written.
    pub(crate) fn as_str(self) -> &'static str {
        match self {
            Self::Val => "val",
            Self::ToLower => "tolower",
            Self::ToUpper => "toupper",
            Self::B64 => "b64",
            Self::BaseName => "basename",
            Self::Len => "len",
            Self::Join => "join",
            Self::Concat => "concat",
            Self::GetOpt => "getopt",
        }
    }
}
