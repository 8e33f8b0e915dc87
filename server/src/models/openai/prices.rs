use super::super::prices::{ANY_LENGTH, PricedModel, Rates, price};

/// Up to this many tokens of prompt the usual price holds; a longer one is priced by the next tier as a whole.
const SHORT: u64 = 272_000;

/// The month of the list.
pub(super) const AS_OF: &str = "2026-10";

/// OpenAI's prices, of models whose four prices are all known. They are from pages that report its public price list, and to be
/// checked against that list.
pub(super) const PRICES: &[PricedModel] = &[
    PricedModel { name: "gpt-6.1-sol", tiers: &tiers(2.0, 10.0, 2.5, 0.10) },
    PricedModel { name: "gpt-6-astra", tiers: &tiers(10.0, 50.0, 12.5, 1.0) },
    PricedModel { name: "gpt-6-sol", tiers: &tiers(2.0, 10.0, 2.5, 0.20) },
    PricedModel { name: "gpt-6-luna", tiers: &tiers(0.10, 0.50, 0.125, 0.01) },
];

/// A long prompt costs twice as much, its caching too, and its answer half as much again.
const fn tiers(input: f64, output: f64, cache_write: f64, cache_read: f64) -> [(u64, Rates); 2] {
    [
        (SHORT, price(input, output, cache_write, cache_read)),
        (ANY_LENGTH, price(2.0 * input, 1.5 * output, 2.0 * cache_write, 2.0 * cache_read)),
    ]
}
