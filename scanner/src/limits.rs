//! Every bound that hostile images run into, by name. Reaching one is a [`plimsoll_model::Note`] of kind `limit`, or an
//! error where nothing can be said without what lies beyond it.

/// Layers of one image. Overlay file systems stack at most a few hundred.
pub(crate) const MAX_LAYERS: usize = 512;

/// Tar members of all layers together.
pub(crate) const MAX_ENTRIES: u64 = 1_500_000;

/// Bytes of one path. `PATH_MAX` is 4096 (limits.h).
pub(crate) const MAX_PATH_BYTES: usize = 4096;

/// Components of one path.
pub(crate) const MAX_PATH_DEPTH: usize = 256;

/// Bytes of a pax header or GNU long name; the same bound as Go's archive/tar, which container engines read layers with.
pub(crate) const MAX_TAR_HEADER_BYTES: u64 = 1 << 20;

/// Pax, long-name and global headers in a row before a member.
pub(crate) const MAX_TAR_HEADERS_PER_MEMBER: usize = 16;

/// Extents of one sparse file.
pub(crate) const MAX_SPARSE_EXTENTS: usize = 65_536;

/// Bytes of one sparse file after expansion that are hashed.
pub(crate) const MAX_SPARSE_BYTES: u64 = 4 << 30;

/// Uncompressed bytes of one layer.
pub(crate) const MAX_LAYER_BYTES: u64 = 64 << 30;

/// Uncompressed bytes of a layer before its compression ratio is judged.
pub(crate) const RATIO_GRACE_BYTES: u64 = 256 << 20;

/// Uncompressed bytes per compressed byte. Real layers stay below 50; gzip cannot exceed 1032, zstd can.
pub(crate) const MAX_RATIO: u64 = 400;

/// Window of a zstd frame, as a power of two: what `zstd --ultra` may need, and what the decoder then allocates.
pub(crate) const MAX_ZSTD_WINDOW_LOG: u32 = 27;

/// Bytes of a manifest or index; registries refuse larger ones (distribution-spec, "Pushing Manifests").
pub(crate) const MAX_MANIFEST_BYTES: u64 = 4 << 20;

/// Bytes of an image config.
pub(crate) const MAX_CONFIG_BYTES: u64 = 8 << 20;

/// Entries of one image index, and of a docker-archive's `manifest.json`.
pub(crate) const MAX_INDEX_ENTRIES: usize = 1024;

/// Indexes that point to indexes.
pub(crate) const MAX_INDEX_DEPTH: usize = 4;

/// Members of an archive that holds an image (not of its layers).
pub(crate) const MAX_ARCHIVE_MEMBERS: usize = 8192;

/// Bytes of one file that is kept for a cataloger or the profile.
pub(crate) const MAX_KEPT_FILE_BYTES: u64 = 16 << 20;

/// Bytes of a database of installed packages: those of full RPM systems are larger than any other file that is kept.
pub(crate) const MAX_KEPT_DATABASE_BYTES: u64 = 64 << 20;

/// Bytes of a Go program's build info.
pub(crate) const MAX_GO_BUILD_INFO_BYTES: usize = 1 << 20;

/// Bytes of all files that are kept.
pub(crate) const MAX_KEPT_BYTES: u64 = 96 << 20;

/// Bytes of an ELF file, from its start, in which dynamic symbols are looked for.
pub(crate) const MAX_ELF_PREFIX_BYTES: usize = 6 << 20;

/// Bytes of each other part of an ELF file that is kept: dynamic section, section table.
pub(crate) const MAX_ELF_WINDOW_BYTES: u64 = 1 << 20;

/// Program or section headers of an ELF file.
pub(crate) const MAX_ELF_HEADERS: usize = 4096;

/// Dynamic symbols of an ELF file that are looked at.
pub(crate) const MAX_ELF_SYMBOLS: usize = 1 << 18;

/// Bytes of one string in an ELF file.
pub(crate) const MAX_ELF_STRING_BYTES: usize = 4096;

/// Libraries or search paths of an ELF file.
pub(crate) const MAX_ELF_NEEDED: usize = 1024;

/// Symbolic links followed before a path counts as a loop (Linux: 40, path_resolution(7)).
pub(crate) const MAX_LINKS: usize = 40;

/// Notes of one image; one more says how many were left out.
pub(crate) const MAX_NOTES: usize = 500;

/// Packages of one image.
pub(crate) const MAX_PACKAGES: usize = 200_000;

/// Bytes of a credentials file.
pub(crate) const MAX_CREDENTIALS_BYTES: u64 = 1 << 20;

/// Archives within archives of Java: a web program in an enterprise program in a launcher, with libraries.
pub(crate) const MAX_JAR_DEPTH: usize = 4;

/// Entries of one Java archive with all archives within; those of large programs have 300,000.
pub(crate) const MAX_JAR_ENTRIES: usize = 2_000_000;

/// Archives within one Java archive.
pub(crate) const MAX_JAR_ARCHIVES: usize = 20_000;

/// Bytes of one manifest or `pom.properties` that are read.
pub(crate) const MAX_JAR_TEXT_BYTES: usize = 256 << 10;

/// Bytes that one Java archive may say of itself and those within.
pub(crate) const MAX_JAR_FACTS_BYTES: usize = 8 << 20;

/// Notes on one Java archive.
pub(crate) const MAX_JAR_NOTES: usize = 50;

/// Inflated bytes of a Java archive per byte of the file. Class files stay below 5.
pub(crate) const MAX_JAR_RATIO: u64 = 100;

/// Inflated bytes of a Java archive before its ratio is judged.
pub(crate) const JAR_RATIO_GRACE_BYTES: u64 = 16 << 20;

/// Bytes of the list of crates in a Rust program, as it is written there and inflated.
pub(crate) const MAX_RUST_AUDIT_BYTES: usize = 8 << 20;

/// Packages of one lock file.
pub(crate) const MAX_LOCKED_PACKAGES: usize = 50_000;

/// Registries and mirrors that are asked for one image, the registry itself not counted.
pub(crate) const MAX_MIRRORS: usize = 8;

/// Redirects of one request to a registry.
pub(crate) const MAX_REDIRECTS: usize = 5;

/// Bytes of a registry's refusal that are read for its reason.
pub(crate) const MAX_REFUSAL_BYTES: usize = 64 << 10;

/// Bytes of a token server's answer.
pub(crate) const MAX_TOKEN_BYTES: usize = 256 << 10;

/// Bytes of a credential helper's answer.
pub(crate) const MAX_HELPER_BYTES: u64 = 256 << 10;

/// Time that a credential helper may take: it may ask a keyring or a cloud, but no person.
pub(crate) const HELPER_TIMEOUT: std::time::Duration = std::time::Duration::from_secs(15);

/// Bytes of a report's template.
pub(crate) const MAX_TEMPLATE_BYTES: usize = 1 << 20;

/// What a template may compute, in steps of its language or pieces of 64 bytes that it makes: some 12 GiB of a report, and
/// minutes at most.
pub(crate) const MAX_TEMPLATE_FUEL: u64 = 200_000_000;

/// Bytes of a file that are searched at once for the patterns of classifiers.
pub(crate) const CLASSIFIER_WINDOW_BYTES: usize = 256 << 10;

/// Bytes that two such windows share: more than any pattern may match, so that none is cut.
pub(crate) const CLASSIFIER_OVERLAP_BYTES: usize = 8 << 10;

/// Bytes of a text that classifiers read whole, within one window.
pub(crate) const MAX_CLASSIFIED_TEXT_BYTES: u64 = 192 << 10;

/// Bytes of one classifier's pattern, compiled.
pub(crate) const MAX_CLASSIFIER_REGEX_BYTES: usize = 4 << 20;

/// Bytes of the automaton that searching one pattern builds as it goes.
pub(crate) const MAX_CLASSIFIER_AUTOMATON_BYTES: usize = 1 << 20;

/// Bytes of a text file that secrets are looked for in; longer ones are logs, dumps and tables.
pub(crate) const MAX_SECRET_FILE_BYTES: u64 = 8 << 20;

/// Secrets of one file that are told.
pub(crate) const MAX_SECRETS_PER_FILE: usize = 32;

/// Bytes of a program or library whose content is compared with its package's own digest.
pub(crate) const MAX_CHECKSUM_BYTES: u64 = 4 << 20;

/// Findings of one kind that a report holds; more are counted.
pub(crate) const MAX_FINDINGS_PER_KIND: usize = 200;

/// Bytes of a bill of materials, as input: one of a large image with all its files has some 100 MiB.
pub(crate) const MAX_SBOM_BYTES: u64 = 256 << 20;

/// Bytes of one in XML, whose elements take several times as much memory.
pub(crate) const MAX_SBOM_XML_BYTES: u64 = 64 << 20;

/// Bytes of a file in which the signs of a bill of materials are looked for.
pub(crate) const SBOM_PROBE_BYTES: u64 = 4096;

/// Elements of a bill of materials in XML.
pub(crate) const MAX_SBOM_ELEMENTS: usize = 4_000_000;

/// Elements within elements.
pub(crate) const MAX_SBOM_DEPTH: usize = 64;

/// Layers of an artifact, and signatures of one, that are read.
pub(crate) const MAX_ARTIFACT_LAYERS: usize = 64;

/// Artifacts that are attached to one manifest.
pub(crate) const MAX_REFERRERS: usize = 4_096;

/// Bytes of a scan report from a registry, packed and unpacked.
pub(crate) const MAX_REPORT_BYTES: u64 = 256 << 20;

/// Reports of one image that are tried until one is signed by the right key.
pub(crate) const MAX_REPORTS_TRIED: usize = 16;

/// Bytes of a file with a key.
pub(crate) const MAX_KEY_BYTES: u64 = 64 << 10;

/// Public keys that are read of one text.
pub(crate) const MAX_KEYS: usize = 16;

/// Bytes of a signed statement.
pub(crate) const MAX_SIGNED_BYTES: u64 = 64 << 10;

/// Names in one folder on disk.
pub(crate) const MAX_FOLDER_NAMES: usize = 1_000_000;

/// Bytes of one entry of the layer cache, as it is stored and as it is inflated: what a layer may keep, and its list of
/// files.
pub(crate) const MAX_CACHE_ENTRY_BYTES: u64 = 1 << 30;

/// Bytes of one file's facts in it: what a Java archive says of those within is the longest.
pub(crate) const MAX_CACHE_RECORD_BYTES: u64 = 32 << 20;

/// Bytes that the program itself takes while it scans: the pages of its code and tables that are used, compiled patterns,
/// and what the first and the last step need.
pub(crate) const PROGRAM_BYTES: u64 = 20 << 20;

/// Bytes of buffers that a layer takes while it is read: chunks, the decoder's window, what is known of an ELF file.
pub(crate) const LAYER_BUFFER_BYTES: u64 = 4 << 20;

/// Bytes of a Kubernetes manifest.
pub(crate) const MAX_POD_BYTES: usize = 4 << 20;

/// Containers of one manifest.
pub(crate) const MAX_POD_CONTAINERS: usize = 1_000;

/// Entries of one list in a manifest: ports, variables, mounts, words of a command.
pub(crate) const MAX_POD_ENTRIES: usize = 4_096;

/// Lists of objects within lists.
pub(crate) const MAX_POD_DEPTH: usize = 4;
