//! Values of Secrets that take more than random letters: key pairs, certificates, lines of password files.

use std::collections::BTreeMap;

use aws_lc_rs::encoding::{AsDer, Pkcs8V1Der, PublicKeyX509Der};
use aws_lc_rs::rsa::{KeyPair as RsaPair, KeySize};
use aws_lc_rs::signature::KeyPair as _;
use data_encoding::BASE64;
use rand::Rng as _;
use rcgen::string::Ia5String;
use rcgen::{
    BasicConstraints, CertificateParams, CertifiedIssuer, DnType, ExtendedKeyUsagePurpose, IsCa,
    KeyPair, KeyUsagePurpose, SanType, date_time_ymd,
};

use crate::adapter::clock;
use crate::model::{SecretKey, SecretPart, SecretRule};

/// The cost of bcrypt: each more doubles the work. 10 is what `htpasswd -B` users mostly choose.
const COST: u32 = 10;
/// Clocks of machines differ: a certificate counts from so long ago.
const EARLIER: u64 = 24 * 60 * 60;

/// The keys of a Secret that are drawn together with a key, that one included.
pub(super) fn drawn_with<'k>(
    keys: &'k BTreeMap<String, SecretKey>,
    main: &'k str,
) -> impl Iterator<Item = (&'k String, &'k SecretRule)> {
    keys.iter().map(|(name, key)| (name, &key.rule)).filter(move |(name, rule)| {
        *name == main || matches!(rule, SecretRule::Part { of, .. } if of == main)
    })
}

/// Draws a key and what comes with it, by the names of the keys; nothing for a rule that is no group.
pub(super) fn draw(
    keys: &BTreeMap<String, SecretKey>,
    main: &str,
) -> Result<BTreeMap<String, String>, String> {
    let Some(key) = keys.get(main) else { return Ok(BTreeMap::new()) };
    let drawn = match &key.rule {
        SecretRule::Rsa { bits } => rsa(*bits)?,
        SecretRule::Tls { names, days } => tls(names, *days).map_err(|error| error.to_string())?,
        SecretRule::Alnum { .. }
        | SecretRule::Hex { .. }
        | SecretRule::Base64 { .. }
        | SecretRule::Uuid
        | SecretRule::Part { .. }
        | SecretRule::Htpasswd { .. }
        | SecretRule::Given(_)
        | SecretRule::Param(_)
        | SecretRule::Copy(_) => return Ok(BTreeMap::new()),
    };
    let of = |rule: &SecretRule| {
        if let SecretRule::Part { part, .. } = rule {
            drawn.part(*part)
        } else {
            drawn.main.clone()
        }
    };
    Ok(drawn_with(keys, main).map(|(name, rule)| (name.clone(), of(rule))).collect())
}

/// What is drawn in one go.
struct Drawn {
    main: String,
    parts: Vec<(SecretPart, String)>,
}

impl Drawn {
    fn part(&self, part: SecretPart) -> String {
        let found = self.parts.iter().find(|(which, _)| *which == part);
        found.map(|(_, value)| value.clone()).unwrap_or_default()
    }
}

fn rsa(bits: usize) -> Result<Drawn, String> {
    let size = match bits {
        3072 => KeySize::Rsa3072,
        4096 => KeySize::Rsa4096,
        _ => KeySize::Rsa2048,
    };
    let cannot = |_| "an RSA key cannot be drawn on this machine".to_owned();
    let pair = RsaPair::generate(size).map_err(cannot)?;
    let private = AsDer::<Pkcs8V1Der<'_>>::as_der(&pair).map_err(cannot)?;
    let public = AsDer::<PublicKeyX509Der<'_>>::as_der(pair.public_key()).map_err(cannot)?;
    Ok(Drawn {
        main: pem("PRIVATE KEY", private.as_ref()),
        parts: vec![(SecretPart::RsaPublic, pem("PUBLIC KEY", public.as_ref()))],
    })
}

/// The public half of a private key in PEM; nothing when that cannot be read.
pub(super) fn rsa_public(private: &str) -> Option<String> {
    let body: String = private.lines().filter(|line| !line.starts_with("-----")).collect();
    let pair = RsaPair::from_pkcs8(&BASE64.decode(body.as_bytes()).ok()?).ok()?;
    let public = AsDer::<PublicKeyX509Der<'_>>::as_der(pair.public_key()).ok()?;
    Some(pem("PUBLIC KEY", public.as_ref()))
}

fn pem(label: &str, der: &[u8]) -> String {
    let body = BASE64.encode(der);
    let mut text = format!("-----BEGIN {label}-----\n");
    let mut rest = body.as_str();
    while !rest.is_empty() {
        let (line, after) = rest.split_at(rest.len().min(64));
        text.push_str(line);
        text.push('\n');
        rest = after;
    }
    text + "-----END " + label + "-----\n"
}

/// A certificate for names, signed by an authority made for it alone, whose private key is forgotten.
fn tls(names: &[String], days: u32) -> Result<Drawn, rcgen::Error> {
    let now = clock::since_epoch().as_secs();
    let from = now.saturating_sub(EARLIER);
    let until = now + u64::from(days) * 24 * 60 * 60;
    let first = names.first().map_or("localhost", String::as_str);

    let mut authority = CertificateParams::default();
    authority.is_ca = IsCa::Ca(BasicConstraints::Constrained(0));
    authority
        .distinguished_name
        .push(DnType::CommonName, format!("datamill CA of {}", short(first)));
    authority.key_usages = vec![KeyUsagePurpose::KeyCertSign, KeyUsagePurpose::CrlSign];
    valid(&mut authority, from, until);
    let issuer = CertifiedIssuer::self_signed(authority, KeyPair::generate()?)?;

    let mut leaf = CertificateParams::default();
    leaf.subject_alt_names = alternative(names)?;
    leaf.distinguished_name.push(DnType::CommonName, short(first));
    leaf.key_usages = vec![KeyUsagePurpose::DigitalSignature];
    leaf.extended_key_usages =
        vec![ExtendedKeyUsagePurpose::ServerAuth, ExtendedKeyUsagePurpose::ClientAuth];
    leaf.use_authority_key_identifier_extension = true;
    valid(&mut leaf, from, until);
    let pair = KeyPair::generate()?;
    let certificate = leaf.signed_by(&pair, &issuer)?;
    Ok(Drawn {
        main: certificate.pem(),
        parts: vec![
            (SecretPart::TlsKey, pair.serialize_pem()),
            (SecretPart::TlsAuthority, issuer.pem()),
        ],
    })
}

/// X.509 takes at most 64 characters for a common name.
fn short(name: &str) -> String {
    name.chars().take(40).collect()
}

fn alternative(names: &[String]) -> Result<Vec<SanType>, rcgen::Error> {
    let of = |name: &String| match name.parse() {
        Ok(address) => Ok(SanType::IpAddress(address)),
        Err(_) => Ia5String::try_from(name.as_str()).map(SanType::DnsName),
    };
    names.iter().map(of).collect()
}

/// Sets from when to when a certificate is valid, in whole days.
fn valid(params: &mut CertificateParams, from: u64, until: u64) {
    const DAY: u64 = 24 * 60 * 60;
    let (year, month, day) = civil(from / DAY);
    params.not_before = date_time_ymd(year, month, day);
    let (year, month, day) = civil(until / DAY);
    params.not_after = date_time_ymd(year, month, day);
}

/// Days since 1970 as year, month and day: Howard Hinnant's `civil_from_days`
/// (<https://howardhinnant.github.io/date_algorithms.html>).
fn civil(days: u64) -> (i32, u8, u8) {
    let days = days + 719_468;
    let era = days / 146_097;
    let of_era = days % 146_097;
    let year = (of_era - of_era / 1_460 + of_era / 36_524 - of_era / 146_096) / 365;
    let of_year = of_era - (365 * year + year / 4 - year / 100);
    let shifted = (5 * of_year + 2) / 153;
    let day = of_year - (153 * shifted + 2) / 5 + 1;
    let month = if shifted < 10 { shifted + 3 } else { shifted - 9 };
    let year = year + era * 400 + u64::from(month <= 2);
    let small = |number: u64| u8::try_from(number).unwrap_or(1);
    (i32::try_from(year).unwrap_or(i32::MAX), small(month), small(day))
}

/// A line of a password file.
pub(super) fn htpasswd(user: &str, password: &str) -> Result<String, String> {
    let mut salt = [0; 16];
    rand::rng().fill_bytes(&mut salt);
    let hash = bcrypt::hash_with_salt(password, COST, salt).map_err(|error| error.to_string())?;
    // Apache writes and reads this variant; the letters differ by history only.
    Ok(format!("{user}:{}", hash.format_for_version(bcrypt::Version::TwoY)))
}

/// Whether a line of a password file is for a user and a password.
pub(super) fn opens(line: &str, user: &str, password: &str) -> bool {
    line.trim_end().split_once(':').is_some_and(|(name, hash)| {
        name == user && bcrypt::verify(password, hash).unwrap_or_default()
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    fn keys(rules: &[(&str, SecretRule)]) -> BTreeMap<String, SecretKey> {
        rules.iter().map(|(k, rule)| ((*k).to_owned(), SecretKey { rule: rule.clone() })).collect()
    }

    fn part(of: &str, part: SecretPart) -> SecretRule {
        SecretRule::Part { of: of.to_owned(), part }
    }

    #[test]
    fn an_rsa_pair_is_one_and_its_public_half_can_be_told_again() {
        let keys = keys(&[
            ("key", SecretRule::Rsa { bits: 2048 }),
            ("key.pub", part("key", SecretPart::RsaPublic)),
        ]);
        let drawn = draw(&keys, "key").unwrap();
        assert!(drawn["key"].starts_with("-----BEGIN PRIVATE KEY-----\n"));
        assert!(drawn["key.pub"].starts_with("-----BEGIN PUBLIC KEY-----\n"));
        assert_eq!(rsa_public(&drawn["key"]).as_ref(), Some(&drawn["key.pub"]));
        assert_ne!(draw(&keys, "key").unwrap()["key"], drawn["key"]);
        assert_eq!(rsa_public("nonsense"), None);
    }

    #[test]
    fn a_certificate_is_signed_by_its_authority_for_its_names() {
        let names = ["web.n.svc".to_owned(), "10.0.0.7".to_owned()].to_vec();
        let keys = keys(&[
            ("tls.crt", SecretRule::Tls { names, days: 100 }),
            ("tls.key", part("tls.crt", SecretPart::TlsKey)),
            ("ca.crt", part("tls.crt", SecretPart::TlsAuthority)),
        ]);
        let drawn = draw(&keys, "tls.crt").unwrap();
        let pair = KeyPair::from_pem(&drawn["tls.key"]).unwrap();
        let der = BASE64
            .decode(
                drawn["tls.crt"]
                    .lines()
                    .filter(|l| !l.starts_with('-'))
                    .collect::<String>()
                    .as_bytes(),
            )
            .unwrap();
        let holds = |part: &[u8]| der.windows(part.len()).any(|window| window == part);
        assert!(holds(b"web.n.svc") && holds(&[10, 0, 0, 7]), "names");
        assert!(holds(b"datamill CA of web.n.svc"), "issuer");
        assert!(holds(pair.public_key_raw()), "the key belongs to the certificate");
        assert_ne!(drawn["tls.crt"], drawn["ca.crt"]);
    }

    #[test]
    fn a_password_line_opens_for_its_user_and_password_only() {
        let line = htpasswd("ada", "secret").unwrap();
        assert!(line.starts_with("ada:$2y$10$"), "{line}");
        assert!(opens(&line, "ada", "secret"));
        assert!(!opens(&line, "ada", "other") && !opens(&line, "bob", "secret"));
        assert!(!opens("", "ada", "secret"));
    }

    #[test]
    fn days_since_1970_are_dates() {
        let table = [
            (0, (1970, 1, 1)),
            (59, (1970, 3, 1)),
            (11_016, (2000, 2, 29)),
            (20_779, (2026, 11, 22)),
        ];
        for (days, date) in table {
            assert_eq!(civil(days), date);
        }
    }
}
