//! Who is believed when it signs a certificate.

use std::sync::Arc;

use rustls::RootCertStore;

use super::{Why, identity::certificates};
use crate::config::PemFile;

/// The certificates of `file`.
pub(super) fn of_file(file: &PemFile) -> Result<Arc<RootCertStore>, Why> {
    let mut roots = RootCertStore::empty();
    for certificate in certificates(file)? {
        let added = roots.add(certificate);
        added.map_err(|_| Why::Certificate)?;
    }
    Ok(Arc::new(roots))
}

/// Those of the system: where distributions keep them, or where `SSL_CERT_FILE` and `SSL_CERT_DIR`
/// say. Some 150 are read, in a few milliseconds.
pub(super) fn of_system() -> Result<Arc<RootCertStore>, Why> {
    let mut roots = RootCertStore::empty();
    let found = rustls_native_certs::load_native_certs();
    // one that cannot be read takes nothing away from the others
    let (added, _) = roots.add_parsable_certificates(found.certs);
    if added == 0 {
        return Err(Why::NoRoots);
    }
    Ok(Arc::new(roots))
}
