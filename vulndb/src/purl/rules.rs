//! What the types of package URLs ask for (purl-spec, `types/`): which letters are one, which parts must or must not be.

use super::{Purl, path_parts};

/// Types whose namespaces and names have no upper case.
const LOWER: &[&str] = &[
    "alpm",
    "apk",
    "bitbucket",
    "bitnami",
    "composer",
    "deb",
    "git",
    "github",
    "golang",
    "hex",
    "luarocks",
    "oci",
];

/// Types whose names alone have none.
const LOWER_NAME: &[&str] = &["brew", "otp", "pub", "pypi"];

/// Types without namespaces.
const NO_NAMESPACE: &[&str] = &[
    "bazel", "cran", "hackage", "julia", "oci", "otp", "pub", "pypi", "vcpkg",
];

/// Puts the parts into the spelling of the type, or says which of them the type does not allow.
pub(super) fn apply(purl: &mut Purl) -> Result<(), &'static str> {
    let kind = purl.kind.clone();
    let kind = kind.as_str();
    if kind == "git" {
        // Only the host is a namespace; what is there is a path of any depth.
        if path_parts(&purl.name).next().is_none() {
            return Err("it has no name");
        }
        let path = format!("{}/{}", purl.namespace, purl.name);
        let parts: Vec<&str> = path_parts(&path).collect();
        (purl.namespace, purl.name) = match parts.as_slice() {
            [host, name @ ..] if !name.is_empty() => ((*host).to_owned(), name.join("/")),
            name => (String::new(), name.concat()),
        };
    }
    if LOWER.contains(&kind) {
        purl.namespace = purl.namespace.to_lowercase();
        purl.name = purl.name.to_lowercase();
    }
    if LOWER_NAME.contains(&kind) {
        purl.name = purl.name.to_lowercase();
    }
    match kind {
        "rpm" => purl.namespace = purl.namespace.to_lowercase(),
        "pypi" => purl.name = purl.name.replace('_', "-"),
        "huggingface" => purl.version = purl.version.take().map(|version| version.to_lowercase()),
        // Databricks' names have no case, Azure's have.
        "mlflow"
            if purl
                .qualifier("repository_url")
                .is_some_and(|url| url.contains("azuredatabricks")) =>
        {
            purl.name = purl.name.to_lowercase();
        }
        "cpan" if purl.name.contains("::") => return Err("a distribution's name has no `::`, a module's has"),
        "julia" if purl.qualifier("uuid").is_none() => return Err("a package of Julia has a `uuid`"),
        "swift" if purl.namespace.is_empty() => return Err("a package of Swift has a host and an owner"),
        "chrome-extension" if !is_extension(&purl.name) => {
            return Err("an extension's name has 32 letters from a to p");
        }
        _ => {}
    }
    if NO_NAMESPACE.contains(&kind) && !purl.namespace.is_empty() {
        return Err("its type has no namespaces");
    }
    Ok(())
}

/// The parts of the name: one, but for `git`.
pub(super) fn name_parts(purl: &Purl) -> impl Iterator<Item = &str> {
    let is_path = purl.kind == "git";
    let mut whole = Some(purl.name.as_str()).filter(|_| !is_path).into_iter();
    let mut parts = purl.name.split('/').filter(move |_| is_path);
    std::iter::from_fn(move || whole.next().or_else(|| parts.next()))
}

fn is_extension(name: &str) -> bool {
    name.len() == 32 && name.bytes().all(|byte| (b'a'..=b'p').contains(&byte))
}
