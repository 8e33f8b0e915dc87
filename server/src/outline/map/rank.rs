//! Which files matter to a task, and which of their definitions.

use std::collections::{BTreeMap, HashMap};

use regex::Regex;

use super::index::{Defined, Entry, Index};
use super::role;
use super::words::{TaskWords, parts, stem};
use crate::contracts::RepoPath;
use crate::outline::definition::Kind;

/// A name that so many files define says nothing of which is meant.
const MOST_DEFINERS: usize = 12;
/// Names shorter than this are used for everything.
const SHORTEST_NAME: usize = 3;
/// Passes over the graph, and how much of a file's weight goes to what it refers to.
const PASSES: usize = 15;
const DAMPING: f64 = 0.6;
/// How much the graph counts beside what the files themselves say.
const GRAPH: f64 = 0.1;
/// How much a word counts by where it stands, each beside what it counts in the body: in a name that is defined, in the name
/// of a folder, in the name of the file. None of them is lost in a body that says the word often.
const IN_DEFINITION: f64 = 1.0;
const IN_FOLDER: f64 = 0.5;
const IN_FILE_NAME: f64 = 2.5;
/// The saturation of a word that stands in a file often, and how much the length of a file counts.
const SATURATION: f64 = 1.6;
const LENGTH: f64 = 0.5;
/// A definition whose whole name is a word of the task, and one whose name the task spells as code.
const WHOLE_NAME: f64 = 1.0;
const SPELLED_NAME: f64 = 2.0;
/// Most words of the task that a file's definitions are counted for as a whole.
const MOST_WHOLE_NAMES: usize = 5;
/// A path that stands in the task as it is.
const SPELLED_PATH: f64 = 60.0;

/// A file with its rank.
pub(super) struct Ranked<'a> {
    pub(super) path: &'a RepoPath,
    pub(super) entry: &'a Entry,
    pub(super) score: f64,
    /// How much each of its definitions matters.
    pub(super) definitions: Vec<f64>,
}

/// Ranks files, the first matters most.
pub(super) fn rank<'a>(index: &Index, files: &[(&'a RepoPath, &'a Entry)], task: &TaskWords) -> Vec<Ranked<'a>> {
    let stems = Stems::of(index, task);
    let relevance = relevance(index, files, task, &stems);
    let definers = definers(index, files);
    let edges = edges(files, &definers, &stems);
    let weights = spread(&edges, &relevance);
    let (most_relevant, most_weight) = (highest(&relevance), highest(&weights));
    let mentions = mentions(index, files, &definers);
    let mut ranked: Vec<Ranked<'a>> = files
        .iter()
        .enumerate()
        .map(|(place, (path, entry))| {
            let score = relevance[place] / most_relevant + GRAPH * weights[place] / most_weight;
            let definition = |defined: &Defined| {
                let mentioned = mentions.get(defined.word as usize).copied().unwrap_or_default();
                let named = stems.in_word(defined.name).len() as f64;
                let spelled = f64::from(u8::from(task.names.contains(index.words.get(defined.word))));
                f64::from(mentioned).ln_1p() + 3.0 * named + 6.0 * spelled
            };
            Ranked { path, entry, score, definitions: entry.definitions.iter().map(definition).collect() }
        })
        .collect();
    ranked.sort_by(|a, b| b.score.total_cmp(&a.score).then_with(|| a.path.cmp(b.path)));
    ranked
}

fn highest(values: &[f64]) -> f64 {
    values.iter().copied().fold(f64::MIN_POSITIVE, f64::max)
}

/// For each word of the index, by its number, which of the task's stems it has.
struct Stems(Vec<Box<[usize]>>);

impl Stems {
    fn of(index: &Index, task: &TaskWords) -> Self {
        // A stem is how a part of a name begins: most words are known by one look to have none.
        let some: Vec<String> = task.stems.keys().map(|stem| regex::escape(stem)).collect();
        let Some(any) = Regex::new(&format!("(?i:{})", some.join("|"))).ok().filter(|_| !some.is_empty()) else {
            return Self(Vec::new());
        };
        let stems = |word: &str| if any.is_match(word) { task_stems(word, task).into() } else { Box::default() };
        Self(index.words.all().map(|(_, word)| stems(word)).collect())
    }

    fn in_word(&self, word: u32) -> &[usize] {
        self.0.get(word as usize).map(|stems| &**stems).unwrap_or_default()
    }
}

/// Which of the task's stems are in a name, each once.
fn task_stems(name: &str, task: &TaskWords) -> Vec<usize> {
    let mut found: Vec<usize> = parts(name).iter().filter_map(|part| task.stems.get(stem(part)).copied()).collect();
    found.sort_unstable();
    found.dedup();
    found
}

/// How often a file has one of the task's stems, by where.
#[derive(Debug, Clone, Copy, Default)]
struct Said {
    in_body: f64,
    in_definitions: f64,
    in_folder: bool,
    /// Of the parts of the file's name, the share that is this stem.
    in_name: f64,
}

/// What a file says of the task: its stems that it has, and its length in words.
struct Spoken {
    stems: Vec<(usize, Said)>,
    length: f64,
}

fn spoken(path: &RepoPath, entry: &Entry, task: &TaskWords, stems: &Stems) -> Spoken {
    let mut said = vec![Said::default(); task.stems.len()];
    let mut has = vec![false; task.stems.len()];
    let mut length = 0.0;
    let mut note = |stem: usize, note: &dyn Fn(&mut Said)| {
        has[stem] = true;
        note(&mut said[stem]);
    };
    for (word, times) in &entry.words {
        length += f64::from(*times);
        for stem in stems.in_word(*word) {
            note(*stem, &|said| said.in_body += f64::from(*times));
        }
    }
    for defined in &entry.definitions {
        for stem in stems.in_word(defined.name) {
            note(*stem, &|said| said.in_definitions += 1.0);
        }
    }
    let (folder, name) = path.as_str().rsplit_once('/').unwrap_or(("", path.as_str()));
    for stem in task_stems(folder, task) {
        note(stem, &|said| said.in_folder = true);
    }
    let own = name.split_once('.').map_or(name, |(own, _)| own);
    let share = 1.0 / parts(own).len().max(1) as f64;
    for stem in task_stems(name, task) {
        note(stem, &|said| said.in_name = share.sqrt());
    }
    let stems = (0..said.len()).filter(|stem| has[*stem]).map(|stem| (stem, said[stem])).collect();
    Spoken { stems, length }
}

/// How much each file speaks of what the task names: words by how rare they are and how much they count in the task,
/// saturating, files by their length and their role.
fn relevance(index: &Index, files: &[(&RepoPath, &Entry)], task: &TaskWords, stems: &Stems) -> Vec<f64> {
    let spoken: Vec<Spoken> = files.iter().map(|(path, entry)| spoken(path, entry, task, stems)).collect();
    let mut in_files = vec![0_u32; task.stems.len()];
    for (stem, _) in spoken.iter().flat_map(|spoken| &spoken.stems) {
        in_files[*stem] += 1;
    }
    let mean = (spoken.iter().map(|spoken| spoken.length).sum::<f64>() / files.len().max(1) as f64).max(1.0);
    let rarity = |times: f64| (1.0 + files.len() as f64 / (times + 0.5)).ln();
    let worth: Vec<f64> =
        in_files.iter().zip(&task.weights).map(|(times, weight)| rarity(f64::from(*times)) * weight).collect();
    let whole = whole_names(index, files, task);
    let mut scores = Vec::with_capacity(files.len());
    for ((path, entry), spoken) in files.iter().zip(&spoken) {
        let norm = SATURATION * (1.0 - LENGTH + LENGTH * spoken.length / mean);
        let said = |said: &Said| {
            said.in_body * (SATURATION + 1.0) / (said.in_body + norm)
                + IN_DEFINITION * said.in_definitions / (said.in_definitions + 1.0)
                + IN_FOLDER * f64::from(u8::from(said.in_folder))
                + IN_FILE_NAME * said.in_name
        };
        let words: f64 = spoken.stems.iter().map(|(stem, at)| worth[*stem] * said(at)).sum();
        let mut names: Vec<f64> =
            named(entry, &whole).into_values().map(|(definers, weight)| rarity(definers) * weight).collect();
        names.sort_by(|a, b| b.total_cmp(a));
        let named: f64 = names.iter().take(MOST_WHOLE_NAMES).sum();
        scores.push(
            (words + named) * role::weight(path, task) + SPELLED_PATH * f64::from(u8::from(is_spelled(path, task))),
        );
    }
    scores
}

/// The words of the index that stand in the task and are the whole name of a definition: how many files define each, and how
/// much it counts.
fn whole_names(index: &Index, files: &[(&RepoPath, &Entry)], task: &TaskWords) -> HashMap<u32, (f64, f64)> {
    let weight = |word: &str| match () {
        () if task.names.contains(word) => Some(SPELLED_NAME),
        () if task.words.contains(word) => Some(WHOLE_NAME),
        () => None,
    };
    let weighed = index.words.all().filter_map(|(number, word)| Some((number, (0.0, weight(word)?))));
    let mut whole: HashMap<u32, (f64, f64)> = weighed.collect();
    let none = whole.clone();
    for (_, entry) in files {
        for word in named(entry, &none).keys() {
            if let Some((definers, _)) = whole.get_mut(word) {
                *definers += 1.0;
            }
        }
    }
    whole
}

/// Those of these words that are the whole name of a definition of a file, each once.
fn named(entry: &Entry, whole: &HashMap<u32, (f64, f64)>) -> BTreeMap<u32, (f64, f64)> {
    // A heading is a sentence, not a name.
    let names = entry.definitions.iter().filter(|defined| defined.kind != Kind::Heading);
    names.filter_map(|defined| Some((defined.word, *whole.get(&defined.word)?))).collect()
}

/// Whether the path, or its end, stands in the task as it is.
fn is_spelled(path: &RepoPath, task: &TaskWords) -> bool {
    let path = path.as_str().to_lowercase();
    task.paths
        .iter()
        .any(|named| path.strip_suffix(named.as_str()).is_some_and(|before| before.is_empty() || before.ends_with('/')))
}

/// Which files define each word, by its number; none where many do, or where the name is short.
fn definers(index: &Index, files: &[(&RepoPath, &Entry)]) -> Vec<Vec<usize>> {
    let mut definers: Vec<Vec<usize>> = vec![Vec::new(); index.words.ends.len()];
    for (place, (_, entry)) in files.iter().enumerate() {
        for defined in &entry.definitions {
            // One more than counts is enough to know that there are many.
            if let Some(known) = definers.get_mut(defined.word as usize)
                && known.last() != Some(&place)
                && known.len() <= MOST_DEFINERS
            {
                known.push(place);
            }
        }
    }
    for (known, (_, word)) in definers.iter_mut().zip(index.words.all()) {
        if known.len() > MOST_DEFINERS || word.len() < SHORTEST_NAME {
            known.clear();
        }
    }
    definers
}

/// In how many files each word with definers stands, beside those, by its number.
fn mentions(index: &Index, files: &[(&RepoPath, &Entry)], definers: &[Vec<usize>]) -> Vec<u32> {
    let mut mentions = vec![0; index.words.ends.len()];
    for (place, (_, entry)) in files.iter().enumerate() {
        for (word, _) in &entry.words {
            let known = definers_of(definers, *word);
            if !known.is_empty() && !known.contains(&place) {
                mentions[*word as usize] += 1;
            }
        }
    }
    mentions
}

fn definers_of(definers: &[Vec<usize>], word: u32) -> &[usize] {
    definers.get(word as usize).map(Vec::as_slice).unwrap_or_default()
}

/// To which files each file refers, and how much.
fn edges(files: &[(&RepoPath, &Entry)], definers: &[Vec<usize>], stems: &Stems) -> Vec<Vec<(usize, f64)>> {
    let mut to = vec![0.0; files.len()];
    let mut edges = Vec::with_capacity(files.len());
    for (place, (_, entry)) in files.iter().enumerate() {
        let mut touched = Vec::new();
        for (word, times) in &entry.words {
            let known = definers_of(definers, *word);
            if known.is_empty() {
                continue;
            }
            let named = 1.0 + 2.0 * stems.in_word(*word).len() as f64;
            let weight = f64::from(*times).sqrt() * named / known.len() as f64;
            for other in known.iter().copied().filter(|other| *other != place) {
                if to[other] == 0.0 {
                    touched.push(other);
                }
                to[other] += weight;
            }
        }
        touched.sort_unstable();
        edges.push(touched.into_iter().map(|other| (other, std::mem::take(&mut to[other]))).collect());
    }
    edges
}

/// How much weight comes to each file: it begins where the files speak of the task, and flows along the references.
fn spread(edges: &[Vec<(usize, f64)>], relevance: &[f64]) -> Vec<f64> {
    // What speaks of the task much counts more than its share, and every file a little.
    let begin: Vec<f64> = relevance.iter().map(|relevant| relevant * relevant + 1e-3).collect();
    let whole = begin.iter().sum::<f64>().max(f64::MIN_POSITIVE);
    let begin: Vec<f64> = begin.iter().map(|share| share / whole).collect();
    let totals: Vec<f64> = edges.iter().map(|to| to.iter().map(|(_, weight)| weight).sum()).collect();
    let mut weights = begin.clone();
    for _ in 0..PASSES {
        let lost: f64 = weights.iter().zip(&totals).filter(|(_, total)| **total == 0.0).map(|(weight, _)| weight).sum();
        let mut next: Vec<f64> = begin.iter().map(|share| share * (1.0 - DAMPING + DAMPING * lost)).collect();
        for ((to, weight), total) in edges.iter().zip(&weights).zip(&totals) {
            for (other, share) in to {
                next[*other] += DAMPING * weight * share / total;
            }
        }
        weights = next;
    }
    weights
}
