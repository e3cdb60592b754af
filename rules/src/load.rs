//! Rule files in, one catalogue of lists, macros and rules out, with later files having changed what earlier ones said.

mod catalog;
mod decode;
mod exception;
mod item;
mod lists;
mod reader;
mod rule_item;
mod version;

use crate::{
    RuleFile,
    diagnostic::{Code, Collector, Finding},
    limits::MAX_FILE_BYTES,
    text::Place,
    yaml::{self, Value},
};

pub(crate) use catalog::{Catalog, Named};
pub(crate) use exception::condition_with_exceptions;
pub(crate) use item::{MacroInfo, RuleInfo};
pub(crate) use lists::ResolvedLists;
pub(crate) use version::Version;

/// Reads all files into one catalogue. What cannot be read is in `diagnostics`.
pub(crate) fn read(files: &[RuleFile], diagnostics: &mut Collector<'_>) -> Catalog {
    let mut catalog = Catalog::default();
    for (index, file) in files.iter().enumerate() {
        read_file(index, file, &mut catalog, diagnostics);
    }
    catalog
}

fn read_file(index: usize, file: &RuleFile, catalog: &mut Catalog, diagnostics: &mut Collector<'_>) {
    let at = |span| Place { file: index, span };
    if file.text.len() > MAX_FILE_BYTES {
        let message = format!("larger than {MAX_FILE_BYTES} bytes");
        diagnostics.error(Finding::new(Code::LoadErrLimit, at(0..0), "", message));
        return;
    }
    let documents = match yaml::parse(&file.text) {
        Ok(documents) => documents,
        Err(error) => {
            let place = at(error.offset..error.offset + 1);
            diagnostics.error(Finding::new(Code::LoadErrYamlParse, place, "", error.message));
            return;
        }
    };
    for document in documents {
        match &document.value {
            Value::Sequence(items) => {
                for item in items.iter().filter(|item| !item.is_null()) {
                    let mut reader = reader::Reader {
                        file: index,
                        source: &file.text,
                        catalog,
                        diagnostics,
                    };
                    if let Err(finding) = reader.read(item) {
                        diagnostics.error(*finding);
                    }
                }
            }
            Value::Mapping(_) => diagnostics.error(
                Finding::new(
                    Code::LoadErrYamlValidate,
                    at(document.span.clone()),
                    "",
                    "Rules content is not yaml array of objects",
                )
                .hint(Some("each item of a rule file begins with `- `".to_owned())),
            ),
            Value::Scalar { .. } => diagnostics.error(Finding::new(
                Code::LoadErrYamlValidate,
                at(document.span.clone()),
                "",
                "Rules content is not yaml",
            )),
        }
    }
}
