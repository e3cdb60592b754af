//! Rows, look-up and the public list of fields.

use std::{collections::HashMap, sync::OnceLock};

use serde::Serialize;

use super::{
    Argument, Context, KindSet, Value, admission, argument::Takes, audit, audit::JsonPath, container, descriptor,
    event, event::ARGUMENT_NAMES, image, missing, origin, process,
};
use crate::{Source, diagnostic::nearest};

/// One field.
#[derive(Debug)]
pub(crate) struct Field {
    pub(crate) name: &'static str,
    pub(crate) kind: FieldType,
    pub(crate) shape: Shape,
    pub(crate) takes: Takes,
    pub(crate) sources: Sources,
    /// Kinds of kernel events that can have it.
    pub(crate) kinds: KindSet,
    pub(crate) doc: &'static str,
    pub(crate) getter: Getter,
}

/// How a field's values are made.
#[derive(Clone, Copy)]
pub(crate) enum Getter {
    One(One),
    Many(Many),
    /// A path through a JSON event.
    Json(JsonPath),
    /// No sensor delivers it yet.
    Missing,
}

impl std::fmt::Debug for Getter {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str(match self {
            Self::One(_) => "One",
            Self::Many(_) => "Many",
            Self::Json(_) => "Json",
            Self::Missing => "Missing",
        })
    }
}

/// At most one value, borrowed.
pub(crate) type One = for<'c> fn(&'c Context<'c>, &'c Argument) -> Option<Value<'c>>;
/// Any number of values, shown one by one.
pub(crate) type Many = for<'c> fn(&'c Context<'c>, &'c Argument, &mut dyn FnMut(Value<'_>));

/// How a comparison with a field of several values is decided.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Shape {
    /// There is at most one value.
    One,
    /// One value that holds is enough, whatever the operator.
    Any,
    /// One value is enough; for `!=`, all must hold.
    EitherEnd,
    /// A list: `in` is subset, `intersects` is any.
    List,
}

/// Types of values.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize)]
#[serde(rename_all = "snake_case")]
pub enum FieldType {
    /// Text.
    Text,
    /// A whole number: ids, ports, times in nanoseconds.
    Number,
    /// A number with a fraction: scores, probabilities.
    Decimal,
    /// True or false.
    Bool,
    /// An IP address.
    Ip,
    /// An IP address, compared with networks (`10.0.0.0/8`).
    Net,
    /// Raw bytes.
    Bytes,
}

impl FieldType {
    /// Name for people.
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Text => "text",
            Self::Number => "number",
            Self::Decimal => "decimal",
            Self::Bool => "bool",
            Self::Ip => "ip",
            Self::Net => "net",
            Self::Bytes => "bytes",
        }
    }
}

/// A set of sources.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct Sources(pub(crate) u16);

impl Sources {
    pub(crate) const SYSCALL: Self = Self::of(Source::Syscall);
    /// All sources over an image.
    pub(crate) const IMAGE: Self = Self(
        Self::of(Source::Image).0
            | Self::of(Source::Package).0
            | Self::of(Source::Vulnerability).0
            | Self::of(Source::File).0
            | Self::of(Source::Secret).0
            | Self::of(Source::Finding).0
            | Self::of(Source::Profile).0,
    );

    pub(crate) const fn of(source: Source) -> Self {
        Self(1 << source as u16)
    }

    pub(crate) const fn with(self, other: Self) -> Self {
        Self(self.0 | other.0)
    }

    pub(crate) fn contains(self, other: Self) -> bool {
        self.0 & other.0 == other.0
    }

    pub(crate) fn named(name: &str) -> Option<Self> {
        Source::named(name).map(Self::of)
    }

    pub(crate) fn suggestion(name: &str) -> Option<String> {
        nearest(name, Source::ALL.into_iter().map(Source::as_str)).map(|meant| format!("did you mean `{meant}`?"))
    }
}

impl Field {
    pub(crate) const fn new(name: &'static str, kind: FieldType, doc: &'static str, getter: Getter) -> Self {
        Self {
            name,
            kind,
            shape: Shape::One,
            takes: Takes::Nothing,
            sources: Sources::SYSCALL,
            kinds: KindSet::ALL,
            doc,
            getter,
        }
    }

    pub(crate) const fn text(name: &'static str, doc: &'static str, get: One) -> Self {
        Self::new(name, FieldType::Text, doc, Getter::One(get))
    }

    pub(crate) const fn number(name: &'static str, doc: &'static str, get: One) -> Self {
        Self::new(name, FieldType::Number, doc, Getter::One(get))
    }

    pub(crate) const fn bool(name: &'static str, doc: &'static str, get: One) -> Self {
        Self::new(name, FieldType::Bool, doc, Getter::One(get))
    }

    pub(crate) const fn many(name: &'static str, kind: FieldType, doc: &'static str, get: Many) -> Self {
        Self::new(name, kind, doc, Getter::Many(get))
    }

    pub(crate) const fn missing(name: &'static str, kind: FieldType, doc: &'static str) -> Self {
        let mut field = Self::new(name, kind, doc, Getter::Missing);
        field.kinds = KindSet::NONE;
        field
    }

    pub(crate) const fn takes(mut self, takes: Takes) -> Self {
        self.takes = takes;
        self
    }

    pub(crate) const fn shape(mut self, shape: Shape) -> Self {
        self.shape = shape;
        self
    }

    pub(crate) const fn kinds(mut self, kinds: KindSet) -> Self {
        self.kinds = kinds;
        self
    }

    pub(crate) const fn of(mut self, sources: Sources) -> Self {
        self.sources = sources;
        self
    }

    pub(crate) fn is_provided(&self) -> bool {
        !matches!(self.getter, Getter::Missing)
    }
}

/// A field with its argument.
#[derive(Debug, Clone)]
pub(crate) struct FieldRef {
    pub(crate) field: &'static Field,
    pub(crate) argument: Argument,
}

impl PartialEq for FieldRef {
    fn eq(&self, other: &Self) -> bool {
        std::ptr::eq(self.field, other.field) && self.argument == other.argument
    }
}

impl FieldRef {
    /// As written in a condition.
    pub(crate) fn name(&self) -> String {
        match &self.argument.text {
            Some(argument) if self.field.name == "evt.arg" && self.argument.index.is_none() => {
                format!("evt.arg.{argument}")
            }
            Some(argument) => format!("{}[{argument}]", self.field.name),
            None => self.field.name.to_owned(),
        }
    }
}

const ALL: [&[Field]; 12] = [
    event::FIELDS,
    process::FIELDS,
    descriptor::FIELDS,
    container::FIELDS,
    origin::FIELDS,
    image::FIELDS,
    missing::FIELDS,
    admission::FIELDS,
    audit::FIELDS,
    audit::CONTAINERS,
    audit::INIT_CONTAINERS,
    audit::EPHEMERAL_CONTAINERS,
];

fn by_name() -> &'static HashMap<&'static str, Vec<&'static Field>> {
    static INDEX: OnceLock<HashMap<&'static str, Vec<&'static Field>>> = OnceLock::new();
    INDEX.get_or_init(|| {
        let mut index: HashMap<_, Vec<_>> = HashMap::new();
        for field in ALL.into_iter().flatten() {
            index.entry(field.name).or_default().push(field);
        }
        index
    })
}

/// Why there is no such field.
#[derive(Debug)]
pub(crate) struct NoField {
    pub(crate) message: String,
    pub(crate) hint: Option<String>,
}

/// The field of that name in one of `sources`, its argument checked.
pub(crate) fn find(name: &str, argument: Option<&str>, sources: Sources) -> Result<FieldRef, NoField> {
    let in_source = |name: &str| {
        by_name()
            .get(name)
            .and_then(|fields| fields.iter().copied().find(|field| field.sources.contains(sources)))
    };
    if let Some(field) = in_source(name) {
        return with_argument(field, name, argument);
    }
    // `evt.arg.flags` is `evt.arg[flags]`, and only those names that some event has.
    for prefix in ["evt.arg", "evt.rawarg"] {
        let rest = name.strip_prefix(prefix).and_then(|rest| rest.strip_prefix('.'));
        if let (Some(rest), Some(field)) = (rest, in_source(prefix)) {
            if ARGUMENT_NAMES.contains(&rest) {
                return with_argument(field, name, Some(rest));
            }
            return Err(NoField {
                message: format!("nonexistent field {name}: no event has an argument {rest}"),
                hint: nearest(rest, ARGUMENT_NAMES.iter().copied())
                    .map(|meant| format!("did you mean `{prefix}.{meant}`?")),
            });
        }
    }
    let elsewhere = by_name().get(name).and_then(|fields| fields.first());
    let hint = match elsewhere {
        Some(field) => Source::ALL
            .into_iter()
            .find(|source| field.sources.contains(Sources::of(*source)))
            .map(|source| format!("`{name}` is a field of rules with `source: {}`", source.as_str())),
        None => suggestion(name, sources),
    };
    Err(NoField {
        message: format!("nonexistent field {name}"),
        hint,
    })
}

/// Whether that name without an argument is a field: what [`find`] says, without working out what else was meant.
pub(crate) fn is_field(name: &str, sources: Sources) -> bool {
    let in_source = |name: &str| {
        by_name()
            .get(name)
            .and_then(|fields| fields.iter().find(|field| field.sources.contains(sources)))
    };
    if let Some(field) = in_source(name) {
        return field.takes != Takes::Required;
    }
    ["evt.arg.", "evt.rawarg."].into_iter().any(|prefix| {
        name.strip_prefix(prefix)
            .is_some_and(|rest| ARGUMENT_NAMES.contains(&rest))
            && in_source(prefix.trim_end_matches('.')).is_some()
    })
}

fn with_argument(field: &'static Field, name: &str, argument: Option<&str>) -> Result<FieldRef, NoField> {
    let refuse = |message: String| Err(NoField { message, hint: None });
    let compiled = Argument::new(argument);
    match (field.takes, argument) {
        (Takes::Nothing, Some(argument)) => refuse(format!("field {name} takes no argument, but has [{argument}]")),
        (Takes::Required, None) => refuse(format!("field {name} needs an argument: {name}[…]")),
        (Takes::OptionalIndex, Some(argument)) if compiled.index.is_none() => {
            refuse(format!("field {name} takes a number as its argument, not [{argument}]"))
        }
        _ => Ok(FieldRef {
            field,
            argument: compiled,
        }),
    }
}

/// What a name that is no field was probably meant to be.
pub(crate) fn suggestion(name: &str, sources: Sources) -> Option<String> {
    let candidates = ALL
        .into_iter()
        .flatten()
        .filter(|field| field.sources.contains(sources))
        .map(|field| field.name);
    nearest(name, candidates).map(|meant| format!("did you mean `{meant}`?"))
}

/// A field as it is shown to people.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct FieldInfo {
    /// `proc.aname`.
    pub name: &'static str,
    /// Type of its values.
    pub kind: FieldType,
    /// Whether it has several values.
    pub is_list: bool,
    /// Whether it may be written with `[argument]`.
    pub takes_argument: bool,
    /// Sources of the rules that may use it.
    pub sources: Vec<Source>,
    /// Whether anything delivers it: a field that is not provided is always missing.
    pub is_provided: bool,
    /// What it means.
    pub doc: &'static str,
}

/// All fields, sorted by name.
pub fn fields() -> Vec<FieldInfo> {
    let mut infos: Vec<FieldInfo> = ALL
        .into_iter()
        .flatten()
        .map(|field| FieldInfo {
            name: field.name,
            kind: field.kind,
            is_list: field.shape == Shape::List,
            takes_argument: field.takes != Takes::Nothing,
            sources: Source::ALL
                .into_iter()
                .filter(|source| field.sources.contains(Sources::of(*source)))
                .collect(),
            is_provided: field.is_provided(),
            doc: field.doc,
        })
        .collect();
    infos.sort_by_key(|info| info.name);
    infos
}
