//! Files that were cut off or damaged. Whatever comes out, it is no panic, and each mistake has
//! a place that is in the file.

use finit::config::builtin;
use finit::config::{Diagnostic, Loaded, Reader, load};
use std::path::{Path, PathBuf};

use crate::{read, said};

const SHIPPED: &str = include_str!("../../config/finit.toml");
const ALL: &str = include_str!("good/everything.toml");

/// Checks every place; the answer is the diagnostics, drawn.
fn check_places(text: &str, loaded: &Loaded) {
    // A line ends with \n or \r\n; any other \r is in it, and shown. After a last \n is one more.
    let empty = text.is_empty() || text.ends_with('\n');
    let lines: Vec<&str> = text.lines().chain(empty.then_some("")).collect();
    for Diagnostic { line, column, width, source_line, .. } in &loaded.diagnostics {
        // The last word, that there are more, is about the file.
        if *line == 0 {
            continue;
        }
        let there = lines.get(line - 1).unwrap_or_else(|| panic!("line {line} of {text:?}"));
        let length = there.chars().count();
        assert!((1..=length + 1).contains(column), "{column} in {there:?}");
        assert!(*width >= 1 && column - 1 + width <= length.max(*column), "{width} in {there:?}");
        assert!(there.starts_with(source_line.as_str()), "{source_line:?} is not {there:?}");
    }
    for diagnostic in &loaded.diagnostics {
        let drawn = diagnostic.to_string();
        assert!(!drawn.chars().any(|c| c.is_control() && c != '\n'), "{drawn:?}");
    }
}

#[test]
fn a_file_that_ends_anywhere_is_read_or_told_about() {
    for whole in [SHIPPED, ALL, builtin::TEXT] {
        for end in (0..=whole.len()).filter(|end| whole.is_char_boundary(*end)) {
            let text = &whole[..end];
            check_places(text, &read(text));
        }
    }
}

/// Reads one file from memory.
struct Memory<'a>(&'a [u8]);

impl Reader for Memory<'_> {
    fn file(&self, _: &Path) -> Result<Option<Vec<u8>>, String> {
        Ok(Some(self.0.to_vec()))
    }

    fn folder(&self, _: &Path) -> Result<Vec<PathBuf>, String> {
        Ok(Vec::new())
    }
}

/// A small generator with a seed (xorshift64*), so that a failure can be had again.
struct Dice(u64);

impl Dice {
    fn below(&mut self, limit: usize) -> usize {
        self.0 ^= self.0 >> 12;
        self.0 ^= self.0 << 25;
        self.0 ^= self.0 >> 27;
        let number = self.0.wrapping_mul(0x2545_F491_4F6C_DD1D) >> 33;
        usize::try_from(number).unwrap() % limit
    }
}

/// Pieces of TOML and of our own words, where bytes alone would rarely make any.
const PIECES: [&str; 26] = [
    "[", "]", "[[", "\"", "\"\"\"", "'", "'''", "=", "{", "}", ",", "\n", "#", ".", "%i", "%", "$",
    "${", "\\", "\t", "\r\n", "\0", "ä", "漢字", "\u{202e}", "service",
];

/// One change of the bytes: a piece put in, a stretch taken out, doubled, or a byte changed.
fn mutate(bytes: &mut Vec<u8>, dice: &mut Dice) {
    let at = dice.below(bytes.len() + 1);
    let end = (at + 1 + dice.below(40)).min(bytes.len());
    match dice.below(5) {
        0 | 1 => {
            let piece = PIECES[dice.below(PIECES.len())];
            bytes.splice(at..at, piece.bytes());
        }
        2 if at < end => drop(bytes.drain(at..end)),
        3 if at < end => {
            let again = bytes[at..end].to_vec();
            bytes.splice(at..at, again);
        }
        _ if at < bytes.len() => bytes[at] = u8::try_from(dice.below(256)).unwrap(),
        _ => {}
    }
}

#[test]
fn ten_thousand_damaged_files() {
    let seed = match std::env::var("SEED") {
        Ok(seed) => seed.parse().unwrap(),
        Err(_) => std::time::UNIX_EPOCH.elapsed().map_or(1, |now| now.subsec_nanos().into()),
    };
    println!("SEED={seed}");
    let mut dice = Dice(u64::max(seed, 1));
    for _ in 0..10_000 {
        let whole = [SHIPPED, ALL][dice.below(2)];
        let mut bytes = whole.as_bytes().to_vec();
        for _ in 0..=dice.below(4) {
            mutate(&mut bytes, &mut dice);
        }
        let loaded = load(Path::new("/etc/finit.toml"), &Memory(&bytes));
        match String::from_utf8(bytes) {
            Ok(text) => check_places(&text, &loaded),
            Err(_) => assert!(loaded.is_broken()),
        }
    }
}

/// What is said stays bounded, however much is wrong.
#[test]
fn a_hundred_thousand_mistakes_are_a_bounded_answer() {
    let mut texts = vec!["x\n".repeat(100_000), "[service.a]\n".repeat(50_000)];
    texts.push(format!("[service.a]\n{}", "wrong = 1\n".repeat(50_000)));
    texts.push((0..20_000).map(|n| format!("[service.n{n}]\nneds = \"x\"\n")).collect());
    texts.push(format!("a = {}", "[".repeat(500_000)));
    texts.push(format!("{}a = 1", "a.".repeat(200_000)));
    texts.push(format!("[service.a]\ncommand = \"{}", "x".repeat(900_000)));
    for text in texts {
        let loaded = read(&text);
        assert!(loaded.is_broken());
        assert!((1..=201).contains(&loaded.diagnostics.len()));
        check_places(&text, &loaded);
        let length: usize = loaded.diagnostics.iter().map(|d| d.to_string().len()).sum();
        assert!(length < 1_000_000, "{length}");
    }
}

/// A chain and a star of ten thousand cost no stack and little time (hazard D2).
#[test]
fn ten_thousand_services_in_a_chain_a_star_and_a_circle() {
    let unit =
        |n: usize, needs: String| format!("[service.n{n}]\ncommand = \"/bin/true\"\n{needs}");
    let needs = |n: usize| format!("needs = \"n{n}\"\n");
    let count = 10_000;
    let chain: String =
        (0..count).map(|n| unit(n, if n == 0 { String::new() } else { needs(n - 1) })).collect();
    let star: String =
        (0..count).map(|n| unit(n, if n == 0 { String::new() } else { needs(0) })).collect();
    assert_eq!(read(&chain).spec.services.len(), count, "{}", said(&chain));
    assert_eq!(read(&star).spec.services.len(), count);
    let circle: String = (0..count).map(|n| unit(n, needs((n + 1) % count))).collect();
    let loaded = read(&circle);
    assert_eq!(loaded.diagnostics.len(), 1);
    assert_eq!(loaded.spec.services.len(), count - 1, "the last one is left out");
}
