//! Which files matter to a task, and which of their definitions.

use std::collections::BTreeMap;

use regex::Regex;

use super::index::{Defined, Entry, Index};
use super::words::{TaskWords, parts, stem};
use crate::contracts::RepoPath;

/// A name that so many files define says nothing of which is meant.
const MOST_DEFINERS: usize = 12;
/// Names shorter than this are used for everything.
const SHORTEST_NAME: usize = 3;
/// Passes over the graph, and how much of a file's weight goes to what it refers to.
const PASSES: usize = 15;
const DAMPING: f64 = 0.6;
/// How much the graph counts beside what the files themselves say.
const GRAPH: f64 = 0.1;
/// How much more a word counts in a name that is defined, in the path, in the file's name.
const IN_DEFINITION: f64 = 4.0;
const IN_FOLDER: f64 = 12.0;
const IN_FILE_NAME: f64 = 30.0;
/// The saturation of a word that stands in a file often, and how much the length of a file counts.
const SATURATION: f64 = 1.6;
const LENGTH: f64 = 0.65;
/// A name or a path that stands in the task as it is.
const SPELLED_NAME: f64 = 6.0;
const SPELLED_PATH: f64 = 30.0;

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

/// How much each file speaks of what the task names: words by how rare they are, saturating, files by their length.
fn relevance(index: &Index, files: &[(&RepoPath, &Entry)], task: &TaskWords, stems: &Stems) -> Vec<f64> {
    let mut counted: Vec<BTreeMap<usize, f64>> = Vec::with_capacity(files.len());
    let mut in_files = vec![0_u32; task.stems.len()];
    let mut lengths = Vec::with_capacity(files.len());
    for (path, entry) in files {
        let mut counts: BTreeMap<usize, f64> = BTreeMap::new();
        let mut count = |stem: usize, weight: f64| *counts.entry(stem).or_default() += weight;
        let mut length = 0.0;
        for (word, times) in &entry.words {
            length += f64::from(*times);
            for stem in stems.in_word(*word) {
                count(*stem, f64::from(*times));
            }
        }
        for defined in &entry.definitions {
            for stem in stems.in_word(defined.name) {
                count(*stem, IN_DEFINITION);
            }
        }
        let (folder, name) = path.as_str().rsplit_once('/').unwrap_or(("", path.as_str()));
        for stem in task_stems(folder, task) {
            count(stem, IN_FOLDER);
        }
        for stem in task_stems(name, task) {
            count(stem, IN_FILE_NAME);
        }
        for stem in counts.keys() {
            in_files[*stem] += 1;
        }
        counted.push(counts);
        lengths.push(length);
    }
    let mean = (lengths.iter().sum::<f64>() / files.len().max(1) as f64).max(1.0);
    let rarity = |stem: usize| (1.0 + files.len() as f64 / (f64::from(in_files[stem]) + 0.5)).ln();
    let mut scores = Vec::with_capacity(files.len());
    for (((path, entry), counts), length) in files.iter().zip(&counted).zip(&lengths) {
        let norm = SATURATION * (1.0 - LENGTH + LENGTH * length / mean);
        let said: f64 =
            counts.iter().map(|(stem, count)| rarity(*stem) * count * (SATURATION + 1.0) / (count + norm)).sum();
        scores.push(said + spelled(index, path, entry, task));
    }
    scores
}

/// What a file gets for names and paths that stand in the task as they are.
fn spelled(index: &Index, path: &RepoPath, entry: &Entry, task: &TaskWords) -> f64 {
    let path = path.as_str().to_lowercase();
    let is_named = task.paths.iter().any(|named| {
        path.strip_suffix(named.as_str()).is_some_and(|before| before.is_empty() || before.ends_with('/'))
    });
    let names = &entry.definitions;
    let defines = names.iter().filter(|defined| task.names.contains(index.words.get(defined.word))).count();
    f64::from(u8::from(is_named)) * SPELLED_PATH + SPELLED_NAME * (defines.min(5) as f64)
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
