//! Libraries of C that programs outside of package managers bring along.

use crate::cataloger::binary::classifier::{Classifier, elf};

pub(super) const ALL: &[Classifier] = &[
    elf(
        "openssl",
        &["openssl", "libcrypto.so*", "libssl.so*"],
        &[
            r"OpenSSL ([0-9]\.[0-9]{1,2}\.[0-9]{1,2}[a-z]{0,2}(?:-(?:alpha|beta|dev)[0-9]{0,2})?)(?:-fips)? {1,2}[0-9 ]{1,2} ?[A-Z][a-z]{2} 20",
        ],
        &["openssl:openssl"],
    ),
    elf(
        "libressl",
        &["openssl", "libcrypto.so*", "libssl.so*", "libtls.so*"],
        &[r"LibreSSL {version}[^0-9.]"],
        &["openbsd:libressl"],
    ),
    elf(
        "gnutls",
        &["libgnutls.so*"],
        &[r"Enabled GnuTLS {version} logging"],
        &["gnu:gnutls"],
    ),
    elf(
        "nss",
        &["libnss3.so", "libfreebl*.so"],
        &[r"Version: NSS ({digits})[ \x00]"],
        &["mozilla:nss"],
    ),
    elf(
        "libgcrypt",
        &["libgcrypt.so*"],
        &[r"This is Libgcrypt {version} "],
        &["gnupg:libgcrypt"],
    ),
    elf(
        "zlib",
        &["libz.so*"],
        &[r" inflate ([0-9]\.[0-9]{1,2}(?:\.[0-9]{1,3}){0,2}) Copyright"],
        &["zlib:zlib"],
    ),
    elf(
        "curl",
        &["curl"],
        &[r"[^a-z]curl/{version}[^0-9.]", r"\x00curl {version} \("],
        &["haxx:curl"],
    ),
    elf(
        "libcurl",
        &["libcurl*.so*"],
        &[r"libcurl/{version}[^0-9.]"],
        &["haxx:libcurl"],
    ),
    elf(
        "expat",
        &["libexpat.so*", "libexpatw.so*"],
        &[r"\x00expat_{version}\x00"],
        &["libexpat_project:libexpat"],
    ),
    elf(
        "libarchive",
        &["libarchive.so*"],
        &[r"\x00libarchive {version}\x00"],
        &["libarchive:libarchive"],
    ),
    elf(
        "libpng",
        &["libpng1*.so*"],
        &[r"libpng version {version}[^0-9.]"],
        &["libpng:libpng"],
    ),
    elf(
        "libjpeg-turbo",
        &["libjpeg.so*", "libturbojpeg.so*"],
        &[r"libjpeg-turbo version {version} \("],
        &["libjpeg-turbo:libjpeg-turbo"],
    ),
    elf(
        "libtiff",
        &["libtiff.so*"],
        &[r"LIBTIFF, Version {version}\n"],
        &["libtiff:libtiff"],
    ),
    elf(
        "pcre2",
        &["libpcre2-*.so*"],
        &[r"\x00(10\.[0-9]{2}) 20[0-9]{2}-[0-9]{2}-[0-9]{2}\x00"],
        &["pcre:pcre2"],
    ),
    elf(
        "ffmpeg",
        &["ffmpeg", "ffprobe", "ffplay"],
        &[r"%s version n?{version}[^0-9.]"],
        &["ffmpeg:ffmpeg"],
    ),
    elf(
        "ffmpeg",
        &["libavcodec.so*", "libavformat.so*", "libavutil.so*"],
        &[r"FFmpeg version n?{version}[^0-9.]"],
        &["ffmpeg:ffmpeg"],
    )
    .named("libav"),
];
