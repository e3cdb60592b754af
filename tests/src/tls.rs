//! An authority made for one test, and certificates that it signs.

use std::{fs, path::Path};

use anyhow::Context as _;
use rcgen::{BasicConstraints, CertificateParams, CertifiedIssuer, IsCa, KeyPair};

/// A certificate authority.
pub struct Authority {
    issuer: CertifiedIssuer<'static, KeyPair>,
}

impl Authority {
    /// Makes one with a new key.
    pub fn new() -> anyhow::Result<Self> {
        let mut parameters = CertificateParams::new(Vec::<String>::new())?;
        parameters.is_ca = IsCa::Ca(BasicConstraints::Unconstrained);
        parameters
            .distinguished_name
            .push(rcgen::DnType::CommonName, "Plimsoll test authority");
        let issuer = CertifiedIssuer::self_signed(parameters, KeyPair::generate()?)?;
        Ok(Self { issuer })
    }

    /// Its own certificate.
    pub fn pem(&self) -> String {
        self.issuer.pem()
    }

    /// Signs a certificate for this machine, for servers and clients: `NAME.cert` and `NAME.key` in `folder`.
    pub fn sign(&self, folder: &Path, name: &str) -> anyhow::Result<()> {
        let key = KeyPair::generate()?;
        let mut parameters = CertificateParams::new(vec!["127.0.0.1".to_owned(), "localhost".to_owned()])?;
        parameters.distinguished_name.push(rcgen::DnType::CommonName, name);
        let certificate = parameters.signed_by(&key, &self.issuer)?;
        fs::write(folder.join(format!("{name}.cert")), certificate.pem()).context("write a certificate")?;
        fs::write(folder.join(format!("{name}.key")), key.serialize_pem()).context("write a key")
    }
}
