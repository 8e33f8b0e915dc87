use reqwest::Url;

use super::super::error::ModelError;
use super::super::setup::settings;

/// What an API is called, and what its addresses look like.
#[derive(Debug)]
pub(in crate::models) struct Api {
    /// What people call it: "Anthropic API".
    pub(in crate::models) name: &'static str,
    /// What a server lacks that does not speak it: "Messages API at its /v1/messages".
    pub(in crate::models) lacking: &'static str,
    /// The variable that says where it is.
    pub(in crate::models) variable: &'static str,
    /// Where it is where the variable says nothing.
    pub(in crate::models) default_address: &'static str,
    /// How its own addresses end, the longest first: people paste them whole.
    pub(in crate::models) own_ends: &'static [&'static str],
    /// How addresses of other APIs end.
    pub(in crate::models) foreign_ends: &'static [&'static str],
}

/// Quotes and spaces that are pasted along with an address.
const PASTED: [char; 8] = ['"', '\'', '`', '“', '”', '‘', '’', ' '];

impl Api {
    /// The address as the user wrote it, without what was pasted along: quotes, slashes at the end, the name of a request.
    /// A query string stays.
    ///
    /// # Errors
    /// [`ModelErrorKind::Settings`](super::super::error::ModelErrorKind::Settings) where it is no web address, or one of
    /// another API.
    pub(super) fn base(&self, written: &str) -> Result<Url, ModelError> {
        let (variable, example) = (self.variable, self.default_address);
        let trimmed = written.trim().trim_matches(PASTED);
        let unusable = || settings(format!("{variable} is no web address. Set it to one such as {example}."));
        let mut url = Url::parse(trimmed).map_err(|_| unusable())?;
        if !matches!(url.scheme(), "http" | "https") {
            // `localhost:8080` reads as the scheme `localhost`.
            let is_bare = !trimmed.contains("://") && Url::parse(&format!("http://{trimmed}")).is_ok();
            let hint = "begins with neither https:// nor http://. Write the whole address, such as";
            return Err(if is_bare { settings(format!("{variable} {hint} {example}.")) } else { unusable() });
        }
        if url.host().is_none() {
            return Err(unusable());
        }
        url.set_fragment(None);
        let mut path = url.path().trim_end_matches('/').to_owned();
        if let Some(end) = self.foreign_ends.iter().find(|end| path.ends_with(**end)) {
            return Err(settings(format!(
                "{variable} ends in {end}, which is the address of another API, not of the {}. Set it to one such as \
                 {example}.",
                self.name
            )));
        }
        while let Some(rest) = self.own_ends.iter().find_map(|end| path.strip_suffix(end)) {
            path = rest.trim_end_matches('/').to_owned();
        }
        url.set_path(&path);
        Ok(url)
    }
}

/// A request's address beside others of the same API.
pub(super) fn beneath(base: &Url, segments: &[&str]) -> Url {
    let mut url = base.clone();
    if let Ok(mut path) = url.path_segments_mut() {
        path.pop_if_empty().extend(segments);
    }
    url
}

/// Host and port alone: an address may hold a password.
pub(in crate::models) fn host(url: &Url) -> String {
    let host = url.host_str().unwrap_or_default();
    url.port().map_or_else(|| host.to_owned(), |port| format!("{host}:{port}"))
}

#[cfg(test)]
mod tests {
    use super::*;

    const API: Api = Api {
        name: "Some API",
        lacking: "some API",
        variable: "SOME_BASE_URL",
        default_address: "https://api.example.org",
        own_ends: &["/v1/messages", "/v1"],
        foreign_ends: &["/chat/completions"],
    };

    #[test]
    fn what_is_pasted_along_with_an_address_is_left_out() {
        for written in [
            "https://a.example/x",
            " https://a.example/x/ ",
            "\"https://a.example/x\"",
            "“https://a.example/x”",
            "https://a.example/x/v1",
            "https://a.example/x/v1/messages",
            "https://a.example/x/v1/messages/",
            "https://a.example/x#top",
        ] {
            let base = API.base(written).expect(written);
            assert_eq!(beneath(&base, &["v1", "models"]).as_str(), "https://a.example/x/v1/models", "{written}");
        }
        let base = API.base("https://a.example/v1?api-version=2026-01-01").expect("an address");
        assert_eq!(
            beneath(&base, &["v1", "messages"]).as_str(),
            "https://a.example/v1/messages?api-version=2026-01-01"
        );
    }

    #[test]
    fn what_is_no_address_of_the_api_is_refused_with_what_to_write() {
        for (written, said) in [
            ("not a url", "is no web address"),
            ("ftp://a.example", "is no web address"),
            ("localhost:8080", "begins with neither https:// nor http://"),
            ("https://a.example/v1/chat/completions", "ends in /chat/completions, which is the address of another API"),
            ("http://", "is no web address"),
        ] {
            let message = API.base(written).expect_err(written).message;
            assert!(message.starts_with("SOME_BASE_URL ") && message.contains(said), "{written}: {message}");
            assert!(message.ends_with("https://api.example.org."), "{message}");
        }
    }
}
