//! That a person takes the work as it is: writing, sealing and counting it.

use jiff::Timestamp;

use super::handle::Store;
use crate::contracts::{Acceptance, Handoff, MAX_HANDOFF_BYTES, ReviewOutput, read};
use crate::memory::error::MemoryError;
use crate::memory::plan_lock::digest;
use crate::memory::seal::Seal;

const ACCEPTANCE_KIND: &str = "acceptance";

impl Store {
    /// Records that a person takes the work as it is, whatever the review at hand asks for.
    ///
    /// # Errors
    /// When there is no review, or the file cannot be written.
    pub fn write_acceptance(&self, because: Option<String>, at: Timestamp) -> Result<(), MemoryError> {
        let missing = || self.file_error("read", ReviewOutput::FILE, std::io::ErrorKind::NotFound.into());
        let review_sha256 = self.review_sha256().ok_or_else(missing)?;
        let mut acceptance = Acceptance { review_sha256, because, at: Some(at), mac: String::new() };
        self.sign_acceptance(&self.seal, &mut acceptance);
        self.write(&acceptance)
    }

    /// accepted.json if it is about the review at hand, genuine or not. One that cannot be read is none.
    pub(super) fn acceptance(&self) -> Option<Acceptance> {
        let (bytes, _) = self.bytes(Acceptance::FILE, MAX_HANDOFF_BYTES).ok()??;
        let acceptance: Acceptance = read(std::str::from_utf8(&bytes).ok()?).ok()?;
        (self.review_sha256()? == acceptance.review_sha256).then_some(acceptance)
    }

    /// Whether this user said so here.
    pub(super) fn is_genuine_acceptance(&self, acceptance: &Acceptance) -> bool {
        self.is_acceptance_sealed_by(&self.seal, acceptance)
    }

    pub(super) fn is_acceptance_sealed_by(&self, seal: &Seal, acceptance: &Acceptance) -> bool {
        seal.verify(ACCEPTANCE_KIND, &signed_content(acceptance), &acceptance.mac)
    }

    pub(super) fn sign_acceptance(&self, seal: &Seal, acceptance: &mut Acceptance) {
        acceptance.mac = seal.sign(ACCEPTANCE_KIND, &signed_content(acceptance));
    }

    fn review_sha256(&self) -> Option<String> {
        self.bytes(ReviewOutput::FILE, MAX_HANDOFF_BYTES).ok()?.map(|(bytes, _)| digest(&bytes))
    }
}

fn signed_content(acceptance: &Acceptance) -> Vec<u8> {
    let Acceptance { review_sha256, because, at, mac: _ } = acceptance;
    serde_json::json!([review_sha256, because, at]).to_string().into_bytes()
}
