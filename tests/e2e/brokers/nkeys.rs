//! The keys and tokens of NATS: an operator, its accounts and a user, as `nsc` would make them.
//!
//! An NKey is an Ed25519 key, written in base 32 with a prefix that says whose it is, and a CRC-16; a token is a JWT that is signed
//! with one.

use data_encoding::{BASE32_NOPAD, BASE64URL_NOPAD};
use ring::signature::{Ed25519KeyPair, KeyPair};
use serde_json::{Value, json};

const OPERATOR: u8 = 14 << 3;
const ACCOUNT: u8 = 0;
const USER: u8 = 20 << 3;
const SEED: u8 = 18 << 3;

/// A key of somebody of this kind. The same number gives the same key.
struct Key {
    kind: u8,
    seed: [u8; 32],
}

impl Key {
    fn new(kind: u8, number: u8) -> Self {
        Self { kind, seed: [number; 32] }
    }

    fn pair(&self) -> Ed25519KeyPair {
        Ed25519KeyPair::from_seed_unchecked(&self.seed).unwrap()
    }

    fn public(&self) -> String {
        encode(&[self.kind], self.pair().public_key().as_ref())
    }

    fn seed(&self) -> String {
        encode(&[SEED | self.kind >> 5, self.kind << 3], &self.seed)
    }

    /// A token of this key's for another.
    fn token(&self, name: &str, subject: &Self, mut nats: Value) -> String {
        nats["version"] = json!(2);
        let header = json!({ "typ": "JWT", "alg": "ed25519-nkey" });
        let claims =
            json!({ "jti": name, "iat": 1, "iss": self.public(), "sub": subject.public(), "name": name, "nats": nats });
        let encode = |value: &Value| BASE64URL_NOPAD.encode(value.to_string().as_bytes());
        let text = format!("{}.{}", encode(&header), encode(&claims));
        let signature = self.pair().sign(text.as_bytes());
        format!("{text}.{}", BASE64URL_NOPAD.encode(signature.as_ref()))
    }
}

fn encode(prefix: &[u8], key: &[u8]) -> String {
    let mut bytes = [prefix, key].concat();
    bytes.extend(crc16(&bytes).to_le_bytes());
    BASE32_NOPAD.encode(&bytes)
}

/// CRC-16/XMODEM.
fn crc16(bytes: &[u8]) -> u16 {
    bytes.iter().fold(0, |crc, byte| {
        (0..8).fold(crc ^ u16::from(*byte) << 8, |crc, _| if crc & 0x8000 == 0 { crc << 1 } else { crc << 1 ^ 0x1021 })
    })
}

/// The seed of a user, and what a server that lets it in has in its configuration.
pub(super) fn user_with_seed() -> (String, String) {
    let user = Key::new(USER, 1);
    (user.seed(), format!("authorization {{ users: [{{ nkey: {} }}] }}\n", user.public()))
}

/// The credentials file of a user, and what a server that lets it in has in its configuration.
pub(super) fn user_with_token() -> (String, String) {
    let (operator, system, account) = (Key::new(OPERATOR, 2), Key::new(ACCOUNT, 3), Key::new(ACCOUNT, 4));
    let user = Key::new(USER, 5);
    let limits = json!({
        "subs": -1, "data": -1, "payload": -1, "imports": -1, "exports": -1, "wildcards": true, "conn": -1, "leaf": -1,
        "mem_storage": -1, "disk_storage": -1, "streams": -1, "consumer": -1
    });
    let no_storage = json!({
        "subs": -1, "data": -1, "payload": -1, "imports": -1, "exports": -1, "wildcards": true, "conn": -1, "leaf": -1
    });
    let of_account = |limits: &Value| json!({ "type": "account", "limits": limits });
    let configuration = format!(
        "operator: {}\nresolver: MEMORY\nresolver_preload: {{ {}: {}, {}: {} }}\n",
        operator.token("operator", &operator, json!({ "type": "operator", "system_account": system.public() })),
        system.public(),
        operator.token("system", &system, of_account(&no_storage)),
        account.public(),
        operator.token("account", &account, of_account(&limits)),
    );
    let nats = json!({ "type": "user", "pub": {}, "sub": {}, "subs": -1, "data": -1, "payload": -1 });
    let credentials = format!(
        "-----BEGIN NATS USER JWT-----\n{}\n------END NATS USER JWT------\n\n\
         -----BEGIN USER NKEY SEED-----\n{}\n------END USER NKEY SEED------\n",
        account.token("user", &user, nats),
        user.seed()
    );
    (credentials, configuration)
}
