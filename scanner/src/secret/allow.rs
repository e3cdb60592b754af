//! Texts and paths that look like secrets and are none: examples of documentation, placeholders, test data of packages.

/// Folders of documentation and of data that is no configuration, where examples are.
const FOLDERS: &[&str] = &[
    "/usr/share/doc/",
    "/usr/share/man/",
    "/usr/share/info/",
    "/usr/share/licenses/",
    "/usr/share/locale/",
    "/usr/share/i18n/",
    "/usr/share/zoneinfo/",
    "/usr/share/gtk-doc/",
    "/usr/share/help/",
    "/usr/share/vim/",
    "/usr/share/ca-certificates/",
    "/etc/ssl/certs/",
    "/var/lib/dpkg/",
    "/var/lib/apt/",
    "/var/lib/rpm/",
    "/lib/apk/db/",
];

/// Folders that packages of programming languages are installed in.
const PACKAGE_FOLDERS: &[&str] = &[
    "/node_modules/",
    "/site-packages/",
    "/dist-packages/",
    "/gems/",
    "/vendor/",
    "/usr/lib/python",
    "/usr/local/lib/python",
    "/usr/local/go/",
    "/usr/lib/go",
    "/usr/lib/ruby/",
    "/usr/share/perl",
    "/usr/lib/x86_64-linux-gnu/perl",
    "/go/pkg/mod/",
    "/registry/src/",
];

/// Folders within them that everybody can download too, with keys that are made for tests.
const TEST_FOLDERS: &[&str] = &[
    "/test/",
    "/tests/",
    "/testdata/",
    "/testing/",
    "/fixtures/",
    "/fixture/",
    "/__tests__/",
    "/spec/",
    "/specs/",
    "/example/",
    "/examples/",
    "/docs/",
    "/doc/",
    "/samples/",
    "/demo/",
    "/benchmark/",
];

/// Whether a path holds documentation, or test data that a package brought: what everybody has is no secret.
pub(crate) fn is_public_path(path: &str) -> bool {
    FOLDERS.iter().any(|folder| path.starts_with(folder))
        || PACKAGE_FOLDERS.iter().any(|folder| {
            path.find(folder)
                .is_some_and(|at| TEST_FOLDERS.iter().any(|test| path[at..].contains(test)))
        })
}

/// Words of placeholders, in lower case.
const WORDS: &[&str] = &[
    "example",
    "placeholder",
    "changeme",
    "change_me",
    "change-me",
    "replace",
    "your_",
    "your-",
    "yourtoken",
    "xxxx",
    "dummy",
    "sample",
    "insert",
    "redacted",
    "notreal",
    "fake",
    "foobar",
    "abcdef0123",
    "0123456789",
    "1234567890",
    "abcdefghij",
    "aaaaaaaa",
    "00000000",
    "deadbeef",
    "<",
    "${",
    "{{",
    "%(",
    "****",
    "....",
    "$(",
];

/// Whether a text is an example: AWS's documentation, placeholders, variables.
pub(crate) fn is_example(secret: &[u8]) -> bool {
    let text = String::from_utf8_lossy(secret).to_ascii_lowercase();
    WORDS.iter().any(|word| text.contains(word))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn knows_examples_and_public_paths() {
        for (text, expected) in [
            ("AKIAIOSFODNN7EXAMPLE", true),
            ("wJalrXUtnFEMI/K7MDENG/bPxRfiCYEXAMPLEKEY", true),
            ("${GITHUB_TOKEN}", true),
            ("AKIAZ7QW5LSTB2UGVMXN", false),
        ] {
            assert_eq!(is_example(text.as_bytes()), expected, "{text}");
        }
        for (path, expected) in [
            ("/usr/share/doc/libssl/demo.pem", true),
            ("/app/node_modules/x/test/key.pem", true),
            ("/app/test/key.pem", false),
            ("/app/node_modules/x/lib/key.pem", false),
            ("/etc/ssl/private/key.pem", false),
        ] {
            assert_eq!(is_public_path(path), expected, "{path}");
        }
    }
}
