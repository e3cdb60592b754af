//! Every limit on what a feed or a database may hold, with its reason.

/// Longest record of a feed, in bytes. The longest real one (an erratum of a kernel) has about 1 MiB.
pub(crate) const MAX_RECORD_BYTES: usize = 16 << 20;

/// Longest single document that holds a whole feed, in bytes. Debian's tracker, the largest, has about 80 MiB.
pub(crate) const MAX_DOCUMENT_BYTES: usize = 512 << 20;

/// How much of a file is looked at to recognise its feed, in bytes.
pub(crate) const MAX_HEAD_BYTES: usize = 64 << 10;

/// Lines that are parsed together, in bytes: large enough to make hand-over cheap, small enough to keep both cores busy.
pub(crate) const BATCH_BYTES: usize = 1 << 20;

/// zstd window, as a power of two, that a feed file may ask for: 128 MiB of memory.
pub(crate) const MAX_ZSTD_WINDOW_LOG: u32 = 27;

/// Nesting of an XML document's elements. OVAL's criteria have about 12 levels.
pub(crate) const MAX_XML_DEPTH: usize = 64;

/// Nesting of a CSAF product tree. The deepest real one has 4 levels.
pub(crate) const MAX_BRANCH_DEPTH: usize = 32;

/// Longest CSAF document, in bytes. Red Hat's longest record of a CVE has about 40 MiB.
pub(crate) const MAX_CSAF_BYTES: usize = 128 << 20;

/// Files below the folders of one import. OSV's complete export has about 500,000.
pub(crate) const MAX_FILES: usize = 2_000_000;

/// Depth of folders.
pub(crate) const MAX_FOLDER_DEPTH: usize = 32;

/// Packages × ranges of one record. A real kernel erratum has about 6,000.
pub(crate) const MAX_AFFECTED_PER_RECORD: usize = 100_000;

/// Enumerated versions of one affected package. The longest real list has about 4,000.
pub(crate) const MAX_VERSIONS: usize = 20_000;

/// Other names of one record.
pub(crate) const MAX_ALIASES: usize = 4_096;

/// Longest id, package name, ecosystem or version, in bytes.
pub(crate) const MAX_NAME_BYTES: usize = 512;

/// Longest version that is compared, in bytes: keeps the recursion of Maven's order shallow.
pub(crate) const MAX_VERSION_BYTES: usize = 1024;

/// Prose that is kept of a vulnerability, in bytes.
pub(crate) const MAX_SUMMARY_BYTES: usize = 300;

/// Notes that one import keeps; what comes after is counted only.
pub(crate) const MAX_NOTES: usize = 1_000;

/// A file of which more than one record in this number cannot be read is refused.
pub(crate) const MIN_RECORDS_PER_BROKEN: u64 = 100;

/// Notes that one batch of lines keeps, so that a file of rubbish does not fill the memory with reasons.
pub(crate) const MAX_NOTES_PER_BATCH: usize = 100;

/// Longest file after decompression, in bytes. The longest real one (a distribution's complete OVAL) has about 1 GiB.
pub(crate) const MAX_FILE_BYTES: u64 = 4 << 30;

/// What an archive may unpack to, in bytes, however long it is. Red Hat's VEX records of all CVEs have about 20 GiB.
pub(crate) const MAX_ARCHIVE_BYTES: u64 = 64 << 30;

/// How many times its own length an archive may unpack to, if that is more than [`MAX_FILE_BYTES`]. JSON shrinks to a hundredth.
pub(crate) const MAX_ARCHIVE_RATIO: u64 = 400;

/// Longest extended header of a tar archive, in bytes: a path of Linux has 4 KiB.
pub(crate) const MAX_TAR_NAME_BYTES: usize = 64 << 10;

/// Percent of an archive's files that no feed recognises without a note: a repository has its own descriptions and settings.
pub(crate) const MAX_STRANGERS_PERCENT: u64 = 10;

/// How many percent of its records a source may lose from one import to the next before it is not believed.
pub(crate) const MAX_SHRINK_PERCENT: u64 = 20;

/// Longest download, in bytes. The longest real one (OSV's export of npm) has about 200 MB.
pub(crate) const MAX_DOWNLOAD_BYTES: u64 = 4 << 30;

/// Attempts at one mirror.
pub(crate) const MAX_ATTEMPTS: u32 = 4;

/// Redirects of one request.
pub(crate) const MAX_REDIRECTS: usize = 5;

/// Longest wait that a server may ask for, in seconds; beyond it the next mirror is tried.
pub(crate) const MAX_RETRY_AFTER_S: u64 = 30;

/// Longest entity tag or date of a server that is kept, in bytes.
pub(crate) const MAX_VALIDATOR_BYTES: usize = 1024;

/// Longest file that says what was downloaded, in bytes.
pub(crate) const MAX_STATE_BYTES: u64 = 64 << 10;

/// Feeds that are downloaded at the same time.
pub(crate) const PARALLEL_DOWNLOADS: usize = 4;

/// Longest package URL, in bytes.
pub(crate) const MAX_PURL_BYTES: usize = 8 << 10;

/// Longest VEX document, in bytes. Red Hat's longest has about 20 MiB.
pub(crate) const MAX_VEX_BYTES: usize = 64 << 20;

/// Statements of one VEX document.
pub(crate) const MAX_VEX_STATEMENTS: usize = 500_000;

/// Longest database, packed or not, in bytes. One of all feeds has about 2 GB.
pub(crate) const MAX_DATABASE_BYTES: u64 = 16 << 30;

/// Longest database that deltas are made from and applied to, in bytes: it is held in memory.
pub(crate) const MAX_DELTA_BASE_BYTES: u64 = 512 << 20;

/// zstd window of a delta, as a power of two: the old and the new database together.
pub(crate) const MAX_DELTA_WINDOW_LOG: u32 = 30;
