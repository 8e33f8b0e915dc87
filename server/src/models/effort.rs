use super::turn::Tier;

/// How long a model thinks before it answers, where it can be told.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum Effort {
    /// Shortly.
    Low,
    /// As long as most work needs.
    Medium,
    /// As long as it takes.
    High,
}

/// The effort of each tier, where the user names one.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct Efforts {
    /// For [`Tier::Fast`].
    pub fast: Option<Effort>,
    /// For [`Tier::Balanced`].
    pub balanced: Option<Effort>,
    /// For [`Tier::Powerful`].
    pub powerful: Option<Effort>,
}

impl Effort {
    /// What a tier's work usually needs.
    pub fn usual(tier: Tier) -> Self {
        match tier {
            Tier::Fast => Self::Low,
            Tier::Balanced => Self::Medium,
            Tier::Powerful => Self::High,
        }
    }

    /// The word used in settings and requests.
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Low => "low",
            Self::Medium => "medium",
            Self::High => "high",
        }
    }
}

impl Efforts {
    /// The effort of a tier.
    pub fn of(&self, tier: Tier) -> Option<Effort> {
        match tier {
            Tier::Fast => self.fast,
            Tier::Balanced => self.balanced,
            Tier::Powerful => self.powerful,
        }
    }

    /// These, and where the user names none what a tier's work usually needs: for models that are known to take it.
    #[must_use]
    pub fn or_usual(self) -> Self {
        let usual = |named: Option<Effort>, tier| Some(named.unwrap_or(Effort::usual(tier)));
        Self {
            fast: usual(self.fast, Tier::Fast),
            balanced: usual(self.balanced, Tier::Balanced),
            powerful: usual(self.powerful, Tier::Powerful),
        }
    }
}
