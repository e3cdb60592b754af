//! The reading end of one output: records in the order of their numbers, each once; a restart begins at the cursor.

use std::{
    fs::File,
    io::{self, BufReader},
    sync::Arc,
};

use super::{Kind, Record, Shared, index::Spot, record, segment_path};

/// See the module.
#[derive(Debug)]
pub(crate) struct Reader {
    shared: Arc<Shared>,
    output: usize,
    /// Number of the next record to read.
    next: u64,
    open: Option<Open>,
}

#[derive(Debug)]
struct Open {
    /// Number of the file's first record.
    first: u64,
    /// Number of the record that is read next from it.
    next: u64,
    input: BufReader<File>,
}

impl Reader {
    /// Begins at the output's cursor.
    pub(crate) fn new(shared: Arc<Shared>, output: usize) -> Self {
        Self {
            shared,
            output,
            next: 0,
            open: None,
        }
    }

    /// Up to so many records, and at most about so many bytes of them; empty when there are none.
    ///
    /// # Errors
    /// A file cannot be read.
    pub(crate) fn read(&mut self, most_records: usize, most_bytes: usize) -> io::Result<Vec<Record>> {
        let mut records = Vec::new();
        let mut bytes = 0;
        while records.len() < most_records && bytes < most_bytes {
            let Some(spot) = self.shared.find(self.output, self.next) else {
                break;
            };
            self.next = spot.number;
            match self.read_at(spot)? {
                Some(record) => {
                    bytes += record.json.len();
                    self.next += 1;
                    records.push(record);
                }
                // Dropped meanwhile to make room: the next look finds what is left.
                None if self.open.is_none() => {}
                None => {
                    let end = spot.segment.end();
                    self.shared.lose_from(self.output, spot.number, end);
                    self.next = end;
                }
            }
        }
        Ok(records)
    }

    /// `None` and nothing open: the file is gone. `None` otherwise: it is damaged here.
    fn read_at(&mut self, spot: Spot) -> io::Result<Option<Record>> {
        let is_open = |open: &Open| open.first == spot.segment.first && open.next == spot.number;
        if !self.open.as_ref().is_some_and(is_open) {
            self.open = None;
            let path = segment_path(self.shared.folder(), spot.segment.first);
            let input = match File::open(path) {
                Ok(file) => BufReader::new(file),
                Err(error) if error.kind() == io::ErrorKind::NotFound => {
                    self.next = self.next.max(spot.number);
                    return match self.shared.find(self.output, self.next) {
                        Some(again) if again == spot => Err(error),
                        _ => Ok(None),
                    };
                }
                Err(error) => return Err(error),
            };
            self.open = Some(Open {
                first: spot.segment.first,
                next: spot.segment.first,
                input,
            });
        }
        let Some(open) = &mut self.open else { return Ok(None) };
        loop {
            let Some((kind, json)) = record::read(&mut open.input)? else {
                return Ok(None);
            };
            open.next += 1;
            if open.next > spot.number {
                return Ok(Some(Record {
                    number: spot.number,
                    is_change: kind == Kind::Changed as u8,
                    json,
                }));
            }
        }
    }
}
