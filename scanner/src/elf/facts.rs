//! Headers, dynamic section and dynamic symbols in, [`ElfFacts`] out (System V gABI, chapters 4 and 5).

use object::{
    Endianness, elf,
    read::{
        ReadRef,
        elf::{Dyn as _, FileHeader, ProgramHeader as _, SectionHeader as _, Sym as _},
    },
};
use plimsoll_model::{ElfFacts, Hardening, Relro, SymbolUse};

use super::{BEFORE_SECTIONS_BYTES, Capture};
use crate::limits::{MAX_ELF_HEADERS, MAX_ELF_NEEDED, MAX_ELF_STRING_BYTES, MAX_ELF_SYMBOLS};

/// Ranges of the file that hold facts, as far as its first bytes tell.
pub(super) fn windows(head: &[u8]) -> Vec<(u64, u64)> {
    match head.get(4) {
        Some(&elf::ELFCLASS64) => windows_of::<elf::FileHeader64<Endianness>>(head),
        Some(&elf::ELFCLASS32) => windows_of::<elf::FileHeader32<Endianness>>(head),
        _ => Vec::new(),
    }
}

fn windows_of<Elf: FileHeader<Endian = Endianness>>(head: &[u8]) -> Vec<(u64, u64)> {
    let Some((header, endian)) = header::<Elf, _>(head) else {
        return Vec::new();
    };
    let mut windows = Vec::new();
    for segment in header.program_headers(endian, head).unwrap_or_default() {
        if matches!(segment.p_type(endian), elf::PT_DYNAMIC | elf::PT_INTERP | elf::PT_NOTE) {
            let (offset, size) = segment.file_range(endian);
            windows.push((offset, offset.saturating_add(size)));
        }
    }
    windows.truncate(16);
    let table: u64 = header.e_shoff(endian).into();
    let size = u64::from(header.e_shnum(endian)) * u64::from(header.e_shentsize(endian));
    if table > 0 {
        windows.push((table.saturating_sub(BEFORE_SECTIONS_BYTES), table.saturating_add(size)));
    }
    windows
}

fn header<'a, Elf: FileHeader<Endian = Endianness>, R: ReadRef<'a>>(data: R) -> Option<(&'a Elf, Endianness)> {
    let header = Elf::parse(data).ok()?;
    Some((header, header.endian().ok()?))
}

/// All facts of a file; `None` when its headers make no sense.
pub(super) fn read(capture: &Capture) -> Option<ElfFacts> {
    match *capture.prefix.get(4)? {
        elf::ELFCLASS64 => facts_of::<elf::FileHeader64<Endianness>>(capture),
        elf::ELFCLASS32 => facts_of::<elf::FileHeader32<Endianness>>(capture),
        _ => None,
    }
}

fn facts_of<Elf: FileHeader<Endian = Endianness>>(data: &Capture) -> Option<ElfFacts> {
    let (header, endian) = header::<Elf, _>(data)?;
    let segments = header.program_headers(endian, data).ok()?;
    let segments = &segments[..segments.len().min(MAX_ELF_HEADERS)];
    let mut facts = ElfFacts {
        is_position_independent: header.e_type(endian) == elf::ET_DYN,
        is_static: true,
        hardening: Some(hardening_of_segments::<Elf>(segments, endian)),
        ..ElfFacts::default()
    };
    for segment in segments {
        if let Ok(Some(path)) = segment.interpreter(endian, data) {
            facts.interpreter = Some(shown(path));
        }
        facts.is_go |= is_go_note::<Elf>(segment, endian, data);
        if let Ok(Some(dynamic)) = segment.dynamic(endian, data) {
            facts.is_static = false;
            let file = File::<Elf> {
                header,
                endian,
                segments,
                data,
            };
            read_dynamic(&file, dynamic, &mut facts);
        }
    }
    for name in section_names::<Elf>(header, endian, data) {
        facts.is_go |= name == b".go.buildinfo" || name == b".note.go.buildid";
        facts.is_rust_auditable |= name == b".dep-v0";
    }
    Some(facts)
}

/// What program headers say: `relro` is partial until the dynamic section says that all is bound at once.
fn hardening_of_segments<Elf: FileHeader<Endian = Endianness>>(
    segments: &[Elf::ProgramHeader],
    endian: Endianness,
) -> Hardening {
    let mut hardening = Hardening::default();
    for segment in segments {
        match segment.p_type(endian) {
            elf::PT_GNU_STACK => hardening.no_execute_stack = segment.p_flags(endian) & elf::PF_X == 0,
            elf::PT_GNU_RELRO => hardening.relro = Relro::Partial,
            _ => {}
        }
    }
    hardening
}

/// `DT_BIND_NOW`, or its flag in either word of flags (`ld -z now`).
fn binds_now(entries: &[(i64, u64)]) -> bool {
    entries.iter().any(|&(tag, value)| match tag {
        elf::DT_BIND_NOW => true,
        elf::DT_FLAGS => value & u64::from(elf::DF_BIND_NOW) != 0,
        elf::DT_FLAGS_1 => value & u64::from(elf::DF_1_NOW) != 0,
        _ => false,
    })
}

struct File<'a, Elf: FileHeader> {
    header: &'a Elf,
    endian: Endianness,
    segments: &'a [Elf::ProgramHeader],
    data: &'a Capture,
}

impl<Elf: FileHeader<Endian = Endianness>> File<'_, Elf> {
    /// File offset of a virtual address.
    fn offset_of(&self, address: u64) -> Option<u64> {
        self.segments
            .iter()
            .filter(|segment| segment.p_type(self.endian) == elf::PT_LOAD)
            .find_map(|segment| {
                let start: u64 = segment.p_vaddr(self.endian).into();
                let (offset, size) = segment.file_range(self.endian);
                let within = address.checked_sub(start)?;
                (within < size).then(|| offset.checked_add(within))?
            })
    }
}

fn read_dynamic<Elf: FileHeader<Endian = Endianness>>(
    file: &File<'_, Elf>,
    dynamic: &[Elf::Dyn],
    facts: &mut ElfFacts,
) {
    let entries: Vec<(i64, u64)> = dynamic
        .iter()
        .map(|entry| (entry.tag(file.endian), entry.val(file.endian)))
        .take_while(|(tag, _)| *tag != elf::DT_NULL)
        .take(MAX_ELF_HEADERS)
        .collect();
    let mut hardening = facts.hardening.unwrap_or_default();
    if hardening.relro == Relro::Partial && binds_now(&entries) {
        hardening.relro = Relro::Full;
    }
    facts.hardening = Some(hardening);
    let value = |tag| entries.iter().find(|entry| entry.0 == tag).map(|entry| entry.1);
    let Some(strings) = value(elf::DT_STRTAB).and_then(|address| file.offset_of(address)) else {
        return;
    };
    let end = strings.saturating_add(value(elf::DT_STRSZ).unwrap_or(0));
    let string = |at: u64| {
        let start = strings.checked_add(at)?;
        let limit = end.min(start.saturating_add(MAX_ELF_STRING_BYTES as u64));
        file.data.read_bytes_at_until(start..limit, 0).ok()
    };
    for &(tag, at) in &entries {
        match tag {
            elf::DT_NEEDED if facts.needed.len() < MAX_ELF_NEEDED => facts.needed.extend(string(at).map(shown)),
            elf::DT_SONAME => facts.soname = string(at).map(shown),
            _ => {}
        }
    }
    let run_path = value(elf::DT_RUNPATH).or_else(|| value(elf::DT_RPATH)).and_then(string);
    facts.run_path = run_path
        .map(|paths| {
            paths
                .split(|&byte| byte == b':')
                .take(MAX_ELF_NEEDED)
                .map(shown)
                .collect()
        })
        .unwrap_or_default();
    if let Some(symbols) = value(elf::DT_SYMTAB).and_then(|address| file.offset_of(address)) {
        let count = symbol_count(file, symbols, strings);
        if let Ok(list) = file.data.read_slice_at::<Elf::Sym>(symbols, count.min(MAX_ELF_SYMBOLS)) {
            for symbol in list.iter().filter(|symbol| symbol.is_undefined(file.endian)) {
                if let Some(name) = string(u64::from(symbol.st_name(file.endian))) {
                    note_import(name, &mut facts.imports);
                    note_check(name, &mut hardening);
                }
            }
        }
    }
    facts.hardening = Some(hardening);
}

/// Nothing in the dynamic section states the number of symbols. The section table does; without one, linkers put the
/// strings right behind the symbols.
fn symbol_count<Elf: FileHeader<Endian = Endianness>>(file: &File<'_, Elf>, symbols: u64, strings: u64) -> usize {
    let size_of_symbol = size_of::<Elf::Sym>() as u64;
    let sections = file.header.section_headers(file.endian, file.data).unwrap_or_default();
    let stated = sections
        .iter()
        .take(MAX_ELF_HEADERS)
        .find(|section| section.sh_type(file.endian) == elf::SHT_DYNSYM)
        .map(|section| section.sh_size(file.endian).into());
    let bytes: u64 = stated.unwrap_or_else(|| strings.saturating_sub(symbols));
    // Of a table that reaches beyond what was kept, the kept part: imports come first.
    let kept = (file.data.prefix.len() as u64).saturating_sub(symbols);
    usize::try_from(bytes.min(kept) / size_of_symbol).unwrap_or(0)
}

fn note_import(name: &[u8], imports: &mut SymbolUse) {
    match name {
        b"execve" | b"execv" | b"execvp" | b"execvpe" | b"execl" | b"execlp" | b"execle" | b"execveat" | b"fexecve"
        | b"posix_spawn" | b"posix_spawnp" | b"system" | b"popen" | b"wordexp" => imports.exec = true,
        b"connect" | b"sendto" | b"sendmsg" | b"sendmmsg" => imports.connect = true,
        b"listen" | b"accept" | b"accept4" => imports.listen = true,
        b"dlopen" | b"dlmopen" => imports.dlopen = true,
        b"setuid" | b"setgid" | b"seteuid" | b"setegid" | b"setreuid" | b"setregid" | b"setresuid" | b"setresgid"
        | b"setgroups" | b"initgroups" | b"setfsuid" | b"setfsgid" => imports.become_user = true,
        b"syscall" => imports.raw_syscall = true,
        _ => {}
    }
}

fn note_check(name: &[u8], hardening: &mut Hardening) {
    match name {
        b"__stack_chk_fail" | b"__stack_chk_guard" | b"__stack_chk_fail_local" => hardening.stack_canary = true,
        _ => hardening.fortified |= name.starts_with(b"__") && name.ends_with(b"_chk"),
    }
}

/// Go's linker writes a note of its own (cmd/link, `ELF_NOTE_GO_NAME`, type 4).
fn is_go_note<Elf: FileHeader<Endian = Endianness>>(
    segment: &Elf::ProgramHeader,
    endian: Endianness,
    data: &Capture,
) -> bool {
    let Ok(Some(mut notes)) = segment.notes(endian, data) else {
        return false;
    };
    while let Ok(Some(note)) = notes.next() {
        if note.name() == b"Go" && note.n_type(endian) == 4 {
            return true;
        }
    }
    false
}

fn section_names<'a, Elf: FileHeader<Endian = Endianness>>(
    header: &'a Elf,
    endian: Endianness,
    data: &'a Capture,
) -> Vec<&'a [u8]> {
    let Ok(sections) = header.section_headers(endian, data) else {
        return Vec::new();
    };
    let Some(names) = header
        .shstrndx(endian, data)
        .ok()
        .and_then(|index| sections.get(index as usize))
    else {
        return Vec::new();
    };
    let (start, size): (u64, u64) = (names.sh_offset(endian).into(), names.sh_size(endian).into());
    let end = start.saturating_add(size);
    sections
        .iter()
        .take(MAX_ELF_HEADERS)
        .filter_map(|section| {
            let at = start.checked_add(u64::from(section.sh_name(endian)))?;
            let limit = end.min(at.saturating_add(64));
            data.read_bytes_at_until(at..limit, 0).ok()
        })
        .collect()
}

fn shown(bytes: &[u8]) -> String {
    let bytes = &bytes[..bytes.len().min(MAX_ELF_STRING_BYTES)];
    String::from_utf8_lossy(bytes).into_owned()
}
