use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use hmac::Mac as _;
use zeroize::Zeroizing;

use crate::keyring::mac;
use crate::secret::Secret;

/// What a webhook's messages are signed with. Never printed.
pub struct SigningKey(Zeroizing<[u8; 32]>);

impl std::fmt::Debug for SigningKey {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str("SigningKey(…)")
    }
}

impl SigningKey {
    /// A new one that nobody can guess.
    #[must_use]
    pub fn random() -> Self {
        Self(Zeroizing::new(rand::random()))
    }

    /// The one of these bytes; `None` unless there are 32.
    #[must_use]
    pub fn from_bytes(bytes: &[u8]) -> Option<Self> {
        bytes.try_into().map(|bytes| Self(Zeroizing::new(bytes))).ok()
    }

    /// Its bytes, to be sealed.
    #[must_use]
    pub fn bytes(&self) -> &[u8] {
        self.0.as_slice()
    }

    /// As receivers are given it: `whsec_…`.
    #[must_use]
    pub fn text(&self) -> Secret {
        Secret::new(format!("whsec_{}", STANDARD.encode(self.0.as_slice())))
    }

    /// The signature of a message with this id, sent at this time (seconds since 1970): `v1,…`.
    #[must_use]
    pub fn sign(&self, id: &str, timestamp: i64, body: &[u8]) -> String {
        let signed = mac(&self.0).chain_update(format!("{id}.{timestamp}.")).chain_update(body).finalize();
        format!("v1,{}", STANDARD.encode(signed.into_bytes()))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_signature_is_that_of_standard_webhooks() {
        let bytes: Vec<u8> = (0..32).collect();
        let key = SigningKey::from_bytes(&bytes).unwrap();
        assert_eq!(key.text().expose(), "whsec_AAECAwQFBgcICQoLDA0ODxAREhMUFRYXGBkaGxwdHh8=");
        // By Python's hmac.
        let signature = key.sign("msg_1", 1_800_000_000, b"{\"a\":1}");
        assert_eq!(signature, "v1,phm7mOHwFDU6jBwBkmhF3Cqd0H0Nz7MaiOdih/irqbk=");
        assert_eq!(format!("{key:?}"), "SigningKey(…)");
        assert!(SigningKey::from_bytes(&bytes[1..]).is_none());
    }
}
