//! Client tokens: what makes a request that is sent again the same request.

use sha2::{Digest as _, Sha256};
use wpaas_core::converge::Step;

/// For this step's part and generation with these parameters, the n-th that was made so: a token whose object has
/// ended makes no other.
pub(crate) fn of(step: &Step, parameters: &[&str], attempt: u32) -> String {
    let mut hash = Sha256::new();
    let (site, part) = (step.site.to_string(), step.part.to_string());
    let (generation, attempt) = (step.generation.to_string(), attempt.to_string());
    let fixed = [site.as_str(), &part, &generation, &attempt];
    for text in fixed.iter().chain(parameters) {
        hash.update((text.len() as u64).to_be_bytes());
        hash.update(text);
    }
    hex::encode(hash.finalize())
}
