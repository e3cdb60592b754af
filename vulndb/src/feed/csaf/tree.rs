//! A CSAF product tree in, what each product id stands for out: a package of a release of Red Hat Enterprise Linux.

use std::borrow::Cow;
use std::collections::HashMap;

use serde::Deserialize;

use crate::limits::MAX_BRANCH_DEPTH;
use crate::purl::Purl;

/// `product_tree` (CSAF 2.0, 3.2.2).
#[derive(Deserialize, Default)]
pub(super) struct Tree<'a> {
    #[serde(borrow, default)]
    branches: Vec<Branch<'a>>,
    #[serde(borrow, default)]
    relationships: Vec<Relationship<'a>>,
}

#[derive(Deserialize)]
struct Branch<'a> {
    #[serde(borrow, default)]
    branches: Vec<Branch<'a>>,
    #[serde(borrow)]
    product: Option<Product<'a>>,
}

#[derive(Deserialize)]
struct Product<'a> {
    #[serde(borrow)]
    product_id: Cow<'a, str>,
    #[serde(borrow)]
    product_identification_helper: Option<Helper<'a>>,
}

#[derive(Deserialize)]
struct Helper<'a> {
    #[serde(borrow)]
    cpe: Option<Cow<'a, str>>,
    #[serde(borrow)]
    purl: Option<Cow<'a, str>>,
}

#[derive(Deserialize)]
struct Relationship<'a> {
    #[serde(borrow)]
    full_product_name: FullName<'a>,
    #[serde(borrow)]
    product_reference: Cow<'a, str>,
    #[serde(borrow)]
    relates_to_product_reference: Cow<'a, str>,
}

#[derive(Deserialize)]
struct FullName<'a> {
    #[serde(borrow)]
    product_id: Cow<'a, str>,
}

/// How many relationships stand between a package and its product: the package, its module, the product.
const MAX_STEPS: usize = 4;

/// All products of a document by their ids.
pub(super) struct Products<'t> {
    helpers: HashMap<&'t str, &'t Helper<'t>>,
    /// Whole → part and what it is a part of.
    parts: HashMap<&'t str, (&'t str, &'t str)>,
}

/// A package in a release.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Component {
    /// `9`.
    pub(super) release: String,
    /// Name of the source or binary package.
    pub(super) package: String,
    /// With its epoch; `None` where all versions are meant.
    pub(super) version: Option<String>,
    /// `nodejs:18`.
    pub(super) module: Option<String>,
}

impl<'a> Tree<'a> {
    /// An error when branches are nested deeper than any real tree's.
    pub(super) fn products(&'a self) -> Result<Products<'a>, String> {
        let mut helpers = HashMap::new();
        let mut open: Vec<(&Branch<'_>, usize)> = self.branches.iter().map(|branch| (branch, 1)).collect();
        while let Some((branch, depth)) = open.pop() {
            if depth > MAX_BRANCH_DEPTH {
                return Err(format!(
                    "its product tree is more than {MAX_BRANCH_DEPTH} branches deep"
                ));
            }
            open.extend(branch.branches.iter().map(|branch| (branch, depth + 1)));
            if let Some(product) = &branch.product
                && let Some(helper) = &product.product_identification_helper
            {
                helpers.insert(product.product_id.as_ref(), helper);
            }
        }
        let parts = self.relationships.iter().map(|one| {
            let part = one.product_reference.as_ref();
            let whole = one.relates_to_product_reference.as_ref();
            (one.full_product_name.product_id.as_ref(), (part, whole))
        });
        Ok(Products {
            helpers,
            parts: parts.collect(),
        })
    }
}

impl Products<'_> {
    /// What a product id stands for; `None` for what is no package of Red Hat Enterprise Linux itself (containers, layered
    /// products, releases with extended support, which the database does not tell apart) and for packages of symbols.
    pub(super) fn component(&self, id: &str) -> Option<Component> {
        let (part, mut whole) = *self.parts.get(id)?;
        let mut module = None;
        for _ in 0..MAX_STEPS {
            match self.parts.get(whole) {
                // A package of a module of a product.
                Some((inner, outer)) => {
                    module = module.or_else(|| self.module(inner));
                    whole = outer;
                }
                None => break,
            }
        }
        let cpe = self.helpers.get(whole)?.cpe.as_deref()?;
        let release = super::super::redhat::release(cpe)?;
        let purl = Purl::parse(self.helpers.get(part)?.purl.as_deref()?).ok()?;
        if purl.namespace != "redhat" {
            return None;
        }
        // `nodejs:16/nodejs`: a package of a module without a version.
        let (stream, name) = match part.split_once('/') {
            Some((stream, name)) if stream.contains(':') => (Some(stream.to_owned()), name),
            _ if purl.kind != "rpm" => return None,
            _ => (None, purl.name.as_str()),
        };
        if name.ends_with("-debuginfo") || name.ends_with("-debugsource") {
            return None;
        }
        let label = purl.qualifier("rpmmod").and_then(stream_of);
        let version = purl.version.as_deref().map(|version| match purl.qualifier("epoch") {
            Some(epoch) => format!("{epoch}:{version}"),
            None => version.to_owned(),
        });
        Some(Component {
            release: release.to_owned(),
            package: name.to_owned(),
            version,
            module: label.or(stream).or(module),
        })
    }

    /// `nodejs:18` of `pkg:rpmmod/redhat/nodejs@18:9020020230327152102:rhel9`.
    fn module(&self, id: &str) -> Option<String> {
        let purl = Purl::parse(self.helpers.get(id)?.purl.as_deref()?).ok()?;
        let stream = purl.version.as_deref()?.split(':').next()?;
        let is_module = purl.kind == "rpmmod" && purl.namespace == "redhat";
        is_module.then(|| format!("{}:{stream}", purl.name))
    }
}

/// `ruby:3.1` of `ruby:3.1:8090020240311122605:a75119d5`.
fn stream_of(label: &str) -> Option<String> {
    let mut parts = label.split(':');
    let (name, stream) = (parts.next()?, parts.next()?);
    (!name.is_empty() && !stream.is_empty()).then(|| format!("{name}:{stream}"))
}
