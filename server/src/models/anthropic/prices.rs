use super::super::prices::{ANY_LENGTH, PricedModel, price};

/// The month of the list.
pub(super) const AS_OF: &str = "2026-11";

/// Anthropic's public price list. A request whose prompt is longer than a tier is priced by the next
/// one as a whole.
pub(super) const PRICES: &[PricedModel] = &[
    PricedModel { name: "claude-opus-5-5", tiers: &[(ANY_LENGTH, price(4.0, 20.0, 5.0, 0.20))] },
    PricedModel { name: "claude-sonnet-5-5", tiers: &[(ANY_LENGTH, price(2.0, 10.0, 2.5, 0.10))] },
    PricedModel {
        name: "claude-haiku-5-5",
        tiers: &[(100_000, price(0.10, 0.50, 0.125, 0.01)), (ANY_LENGTH, price(0.50, 2.50, 0.625, 0.05))],
    },
    PricedModel { name: "claude-haiku-4-5", tiers: &[(ANY_LENGTH, price(1.0, 5.0, 1.25, 0.10))] },
    PricedModel { name: "claude-sonnet-4-6", tiers: &[(ANY_LENGTH, price(3.0, 15.0, 3.75, 0.30))] },
];
