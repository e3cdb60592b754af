//! Interpreters, virtual machines, compilers and their libraries.

use crate::cataloger::binary::classifier::{Classifier, Look, elf, row};

pub(super) const ALL: &[Classifier] = &[
    elf(
        "node",
        &["node", "nodejs", "libnode.so*"],
        &[
            r"nodejs\.org/download/[a-z]{2,10}/v({digits}(?:-[a-z]{2,8}[.0-9a-f]{0,16})?)/node-v",
            r"node\.js/v{version}[^0-9.]",
        ],
        &["nodejs:node.js"],
    ),
    elf(
        "bun",
        &["bun", "bunx"],
        &[r"Bun v{version} \(", r"/bun-v{version}/"],
        &["oven:bun"],
    ),
    elf(
        "deno",
        &["deno"],
        // Constants of Rust stand side by side: version, and version with commit.
        &[
            r"denover([12]\.[0-9]{1,2}\.[0-9]{1,2}?)[12]\.[0-9]{1,2}\.[0-9]{1,2}\+",
            r"Deno/([12]\.[0-9]{1,2}\.[0-9]{1,2})[^0-9.]",
        ],
        &["deno:deno"],
    ),
    elf(
        "python",
        &["python", "python[23]", "python2*", "python3*", "libpython*.so*"],
        &[r"\x00((?:2\.7|3)\.[0-9]{1,2}(?:\.[0-9]{1,2})?(?:(?:a|b|rc)[0-9]{1,2})?)\+?\x00"],
        &["python:python"],
    ),
    elf(
        "pypy",
        &["pypy*", "libpypy*.so*"],
        &[r"PyPy {version}[^0-9.]"],
        &["pypy:pypy"],
    ),
    elf(
        "perl",
        &["perl", "perl5*", "libperl.so*"],
        &[
            r"\x00v(5\.[0-9]{1,2}\.[0-9]{1,2})\x00",
            r"/perl5?/(5\.[0-9]{1,2}\.[0-9]{1,2})[/\x00]",
        ],
        &["perl:perl"],
    ),
    elf(
        "ruby",
        &["ruby", "ruby[23]*", "ruby2*", "ruby3*", "libruby*.so*"],
        &[
            r"ruby ([0-9]\.[0-9]{1,2}\.[0-9]{1,2}(?:rc[0-9]|preview[0-9])?)(?:p[0-9]{1,4})? \(20[0-9]{2}-[0-9]{2}-[0-9]{2}",
        ],
        &["ruby-lang:ruby"],
    ),
    elf(
        "php",
        &[
            "php",
            "php[578]*",
            "php5*",
            "php7*",
            "php8*",
            "php-fpm*",
            "php-cgi*",
            "libphp*.so*",
            "mod_php*.so",
        ],
        &[r"X-Powered-By: PHP/([0-9]\.[0-9]{1,2}\.[0-9]{1,3}(?:(?:RC|alpha|beta)[0-9]{1,2})?)[^0-9.]"],
        &["php:php"],
    ),
    elf(
        "lua",
        &["lua", "lua5*", "luac", "luac5*", "liblua*.so*"],
        &[r"\$Lua(?:Version)?: Lua {version} ", r"Lua {version}  Copyright"],
        &["lua:lua"],
    ),
    elf(
        "luajit",
        &["luajit*", "libluajit*.so*"],
        &[r"LuaJIT ({digits}(?:-beta[0-9]|-rc[0-9]|\.[0-9]{10})?)[^0-9.]"],
        &["luajit:luajit"],
    ),
    row(
        Look::Text,
        "r",
        &["R/library/base/DESCRIPTION"],
        &[r"\nVersion: {version}\s"],
        &["r-project:r"],
    ),
    elf(
        "julia",
        &["libjulia-internal.so*", "libjulia.so*"],
        &[
            r"__init__\x00({digits}(?:-(?:rc|beta|alpha)[0-9]{1,2})?)\x00verify",
            r"\x00([01]\.[0-9]{1,2}\.[0-9]{1,2})\x00",
        ],
        &["julialang:julia"],
    ),
    row(
        Look::Text,
        "erlang",
        &["OTP_VERSION"],
        &[r"\A([0-9]{2}(?:\.[0-9]{1,3}){1,4})\s"],
        &[r"erlang:erlang/otp"],
    ),
    elf(
        "erlang",
        &["beam.smp", "beam"],
        &[
            r"\x00(?:\[[^\x00]{0,100})?\[jit[^\x00]{0,60}\n\x00({digits})\x00",
            r"Erlang/OTP ([0-9]{2}(?:\.[0-9]{1,3}){1,3})[^0-9.]",
            r"/erlang-([0-9]{2}(?:\.[0-9]{1,3}){1,3})[^0-9.]",
        ],
        &[r"erlang:erlang/otp"],
    )
    .named("erlang-vm"),
    row(
        Look::Text,
        "elixir",
        &["ebin/elixir.app"],
        &[r#"\{vsn, {0,4}"({digits}(?:-rc\.[0-9])?)[^"]{0,20}"\}"#],
        &["elixir-lang:elixir"],
    ),
    row(
        Look::Text,
        "go",
        &["go/VERSION", "go-*/VERSION"],
        &[r"\Ago([0-9]{1,2}(?:\.[0-9]{1,3}){1,2}(?:(?:rc|beta)[0-9]{1,2})?)\s"],
        &["golang:go"],
    ),
    elf(
        "rust",
        &["librustc_driver-*.so"],
        &[
            r"/rustc-([0-9]\.[0-9]{1,3}\.[0-9]{1,2})(?:-src)?/",
            r"rustc version ([0-9]\.[0-9]{1,3}\.[0-9]{1,2})",
            r"\x00?([0-9]\.[0-9]{1,3}\.[0-9]{1,2}(?:-(?:nightly|beta)[.0-9]{0,4})?) \([0-9a-f]{9} 20[0-9]{2}-[0-9]{2}-[0-9]{2}\)",
        ],
        &["rust-lang:rust"],
    ),
    elf(
        "gcc",
        &[
            "gcc", "g++", "cpp", "gcc-*", "g++-*", "cpp-*", "*-gcc", "*-gcc-*", "*-g++*", "*-cpp-*", "cc1", "cc1plus",
        ],
        &[r"\x00([0-9]{1,2}\.[0-9]{1,2}\.[0-9])\x00(?:__ORDER_BIG_ENDIAN__|\([A-Z][-+~.: 0-9A-Za-z]{0,60}\) \x00)"],
        &["gnu:gcc"],
    ),
    elf(
        "clang",
        &["clang", "clang-[0-9]*", "clang-1*", "clang-2*", "libLLVM*.so*"],
        &[r"[Cc]lang version {version}[^0-9.]", r"LLVM version {version}"],
        &["llvm:clang"],
    ),
    row(
        Look::Path,
        "ghc",
        &["ghc-*/settings", "ghc-*/lib/settings"],
        &[r"/ghc-{version}/"],
        &["haskell:ghc"],
    ),
    row(
        Look::Stream,
        "composer",
        &["composer", "composer.phar", "Composer/Composer.php"],
        &[
            r"public const VERSION = '([12]\.[0-9]{1,2}\.[0-9]{1,2}(?:-(?:RC|alpha|beta)[0-9]{1,2})?)'",
            r"\n {4}const VERSION = '([12]\.[0-9]{1,2}\.[0-9]{1,2}(?:-(?:RC|alpha|beta)[0-9]{1,2})?)'",
        ],
        &["getcomposer:composer"],
    ),
    row(
        Look::Text,
        "dotnet",
        &["Microsoft.NETCore.App/*/.version"],
        &[r"\A[0-9a-f]{40}\s{1,4}({digits}(?:-[a-z]{2,8}[-.0-9a-z]{0,24})?)\s"],
        &["microsoft:.net"],
    ),
];
