//! Sound bytes in, damaged ones out: bits turned, ends cut off, parts doubled, moved and mixed, lengths that lie. The same
//! number gives the same damage on every machine.

/// What formats are made of; one of them in the wrong place gets deeper than noise does.
const WORDS: [&[u8]; 32] = [
    b"\0",
    b"\xff",
    b"\n",
    b"\r\n",
    b"\"",
    b"'",
    b"\\",
    b"{",
    b"}",
    b"[",
    b"]",
    b"<",
    b"/>",
    b"&#x110000;",
    b":",
    b"=",
    b",",
    b"$(",
    b"${a:-",
    b"%",
    b"../",
    b"-1",
    b"0",
    b"18446744073709551616",
    b"1e999",
    b"null",
    b"&a [*a,*a]",
    b"<<EOF\n",
    "\u{feff}".as_bytes(),
    "\u{130}\u{1f4a9}".as_bytes(),
    b"\xc3\x28",
    b"!!binary ",
];

/// Numbers at which lengths break.
const LENGTHS: [u64; 12] = [
    0,
    1,
    0x7f,
    0xff,
    0x7fff,
    0xffff,
    0x7fff_ffff,
    0x8000_0000,
    0xffff_ffff,
    0x7fff_ffff_ffff_ffff,
    0x8000_0000_0000_0000,
    u64::MAX,
];

/// Longest result: what is larger tests patience and not parsers.
const MAX_BYTES: usize = 1 << 20;

/// Draws damage: 64-bit linear congruential (Knuth, MMIX), upper half.
pub struct Mutator(u64);

impl Mutator {
    /// The same name gives the same sequence.
    pub fn new(name: &str) -> Self {
        Self(name.bytes().fold(0xcbf2_9ce4_8422_2325, |state, byte| {
            (state ^ u64::from(byte)).wrapping_mul(0x0100_0000_01b3)
        }))
    }

    fn below(&mut self, limit: usize) -> usize {
        self.0 = self
            .0
            .wrapping_mul(6_364_136_223_846_793_005)
            .wrapping_add(1_442_695_040_888_963_407);
        usize::try_from(self.0 >> 33).unwrap_or_default() % limit.max(1)
    }

    /// One of the seeds with one to eight faults.
    pub fn damaged(&mut self, seeds: &[Vec<u8>]) -> Vec<u8> {
        let mut bytes = seeds.get(self.below(seeds.len())).cloned().unwrap_or_default();
        for _ in 0..=self.below(8) {
            self.damage(&mut bytes, seeds);
        }
        bytes.truncate(MAX_BYTES);
        bytes
    }

    fn damage(&mut self, bytes: &mut Vec<u8>, seeds: &[Vec<u8>]) {
        let at = self.below(bytes.len() + 1);
        let most = 1 << self.below(10);
        let length = self.below(most).min(bytes.len() - at);
        match self.below(9) {
            0 if at < bytes.len() => bytes[at] ^= 1 << self.below(8),
            1 if at < bytes.len() => bytes[at] = u8::try_from(self.below(256)).unwrap_or_default(),
            2 => bytes.truncate(at),
            3 => drop(bytes.drain(at..at + length)),
            4 => {
                let part = bytes[at..at + length].to_vec();
                let times = 1 << self.below(if length < 16 { 12 } else { 4 });
                bytes.splice(at..at, part.repeat(times));
            }
            5 => {
                let word = WORDS[self.below(WORDS.len())];
                let (a, b) = (self.below(4), self.below(4));
                let times = 1 << (a * b);
                bytes.splice(at..at, word.repeat(times));
            }
            6 => {
                let other = seeds.get(self.below(seeds.len())).map_or(&[][..], Vec::as_slice);
                let from = self.below(other.len() + 1);
                let to = (from + self.below(4096)).min(other.len());
                bytes.splice(at..at + length, other[from..to].iter().copied());
            }
            7 => self.lie(bytes, at),
            _ => self.count(bytes, at),
        }
    }

    /// A binary length of any width in either order.
    fn lie(&mut self, bytes: &mut [u8], at: usize) {
        let value = LENGTHS[self.below(LENGTHS.len())];
        let width = [1, 2, 4, 8][self.below(4)].min(bytes.len() - at);
        let (little, big) = (value.to_le_bytes(), value.to_be_bytes());
        let source = match self.below(2) {
            0 => &little[..width],
            _ => &big[8 - width..],
        };
        bytes[at..at + width].copy_from_slice(source);
    }

    /// A number in digits, where there is one behind `at`.
    fn count(&mut self, bytes: &mut Vec<u8>, at: usize) {
        let Some(start) = bytes[at..].iter().position(u8::is_ascii_digit).map(|found| at + found) else {
            return;
        };
        let digits = bytes[start..].iter().take_while(|byte| byte.is_ascii_digit()).count();
        let value = LENGTHS[self.below(LENGTHS.len())].to_string();
        bytes.splice(start..start + digits, value.into_bytes());
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn damage_is_repeatable_and_damages() {
        let seeds = vec![b"Package: acme\nVersion: 1.0\n".to_vec(), vec![0; 600]];
        let draw = || {
            let mut mutator = Mutator::new("dpkg");
            (0..100).map(|_| mutator.damaged(&seeds)).collect::<Vec<_>>()
        };
        let first = draw();
        assert_eq!(first, draw());
        assert!(first.iter().filter(|bytes| !seeds.contains(bytes)).count() > 80);
    }

    #[test]
    fn nothing_needs_a_seed() {
        let mut mutator = Mutator::new("");
        assert!((0..100).any(|_| !mutator.damaged(&[]).is_empty()));
    }
}
