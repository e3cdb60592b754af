//! A running server: options in; listens, answers, ends without breaking open requests.

use std::{
    fs,
    future::Future,
    net::{SocketAddr, TcpListener},
    path::PathBuf,
    sync::Arc,
    time::Duration,
};

use axum::{Router, extract::connect_info::IntoMakeServiceWithConnectInfo};
use axum_server::{
    Handle,
    tls_rustls::{RustlsAcceptor, RustlsConfig},
};
use plimsoll_rules::RuleSet;
use tokio::sync::watch;

use crate::{
    Error,
    admission::{Admission, PolicySource},
    app::{App, Parts, run_blocking},
    error::Result,
    limits, router, secret, service,
    store::{AccountStore, Role, Store, sqlite::SqliteStore},
};

/// What a server is started with.
#[derive(Debug)]
pub struct Options {
    /// Address and port; port 0 takes a free one.
    pub listen: SocketAddr,
    /// Database file; its folder is made when it is missing, for the owner alone.
    pub database: PathBuf,
    /// Certificate and key; `None` is plain HTTP.
    pub tls: Option<TlsFiles>,
    /// Listen without TLS on an address that others can reach.
    pub allow_insecure: bool,
    /// What admission decides by.
    pub policy: PolicySource,
    /// What judges Kubernetes audit events.
    pub audit_rules: RuleSet,
    /// How much of the server is there.
    pub extent: Extent,
    /// Program and first arguments that scan one image (its reference is added) and print the report as JSON; `None`
    /// leaves queued scans to somebody else.
    pub scan_command: Option<Vec<std::ffi::OsString>>,
}

/// How much of the server is there.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Extent {
    /// API, dashboard, agents, admission.
    Whole,
    /// The admission webhook and probes.
    AdmissionOnly,
}

/// PEM files. They are read again when they change.
#[derive(Debug, Clone)]
pub struct TlsFiles {
    /// Certificate chain, the server's own first.
    pub certificate: PathBuf,
    /// Private key.
    pub key: PathBuf,
}

/// A server that listens and does not answer yet.
pub struct Server {
    app: App,
    listener: TcpListener,
    address: SocketAddr,
    first_password: Option<String>,
    tls: Option<(RustlsConfig, TlsFiles)>,
    shutdown: watch::Sender<bool>,
    extent: Extent,
    scan_command: Option<Vec<std::ffi::OsString>>,
}

/// Name of the user that a first run makes.
pub const FIRST_USER: &str = "admin";

impl Server {
    /// Opens the store, makes the first user when there is none, reads certificate and policy, and binds the address.
    pub async fn prepare(options: Options) -> Result<Self> {
        if options.tls.is_none() && !options.allow_insecure && !options.listen.ip().is_loopback() {
            return Err(Error::Insecure(options.listen));
        }
        let tls = match &options.tls {
            Some(files) => Some((load_tls(files).await?, files.clone())),
            None => None,
        };
        let admission = Admission::load(&options.policy)?;
        let (extent, database) = (options.extent, options.database.clone());
        let (store, first_password) = run_blocking(move || open(&database, extent)).await??;
        let failed = |source| Error::Listen {
            address: options.listen,
            source,
        };
        let listener = TcpListener::bind(options.listen).map_err(failed)?;
        listener.set_nonblocking(true).map_err(failed)?;
        let address = listener.local_addr().map_err(failed)?;
        let (shutdown, ends) = watch::channel(false);
        let app = App::new(Parts {
            store,
            is_tls: tls.is_some(),
            shutdown: ends,
            admission,
            audit_rules: options.audit_rules,
        });
        Ok(Self {
            app,
            listener,
            address,
            first_password,
            tls,
            shutdown,
            extent,
            scan_command: options.scan_command,
        })
    }

    /// Where it listens.
    pub fn address(&self) -> SocketAddr {
        self.address
    }

    /// The one-time password of [`FIRST_USER`] on a first run. It is kept nowhere else.
    pub fn first_password(&self) -> Option<&str> {
        self.first_password.as_deref()
    }

    /// Answers until `stop` is done, then lets open requests finish.
    pub async fn run(self, stop: impl Future<Output = ()> + Send + 'static) -> Result<()> {
        let router = match self.extent {
            Extent::Whole => router::whole(&self.app),
            Extent::AdmissionOnly => router::admission_only(&self.app),
        };
        let service = router.into_make_service_with_connect_info::<SocketAddr>();
        let handle = Handle::new();
        let mut background = service::start(&self.app, self.extent, self.scan_command, self.tls.clone());
        let ending = tokio::spawn({
            let (handle, shutdown) = (handle.clone(), self.shutdown);
            async move {
                stop.await;
                tracing::info!("shutting down");
                // Live streams never finish by themselves.
                shutdown.send_replace(true);
                handle.graceful_shutdown(Some(Duration::from_millis(limits::SHUTDOWN_TIMEOUT_MS)));
            }
        });
        let result = serve(self.listener, self.tls.map(|(config, _)| config), handle, service).await;
        ending.abort();
        background.abort_all();
        result.map_err(|source| Error::Listen {
            address: self.address,
            source,
        })
    }
}

async fn serve(
    listener: TcpListener,
    tls: Option<RustlsConfig>,
    handle: Handle<SocketAddr>,
    service: IntoMakeServiceWithConnectInfo<Router, SocketAddr>,
) -> std::io::Result<()> {
    let Some(config) = tls else {
        let mut server = axum_server::from_tcp(listener)?.handle(handle);
        limit_connections(server.http_builder());
        return server.serve(service).await;
    };
    let acceptor = RustlsAcceptor::new(config).handshake_timeout(Duration::from_millis(limits::HANDSHAKE_TIMEOUT_MS));
    let mut server = axum_server::from_tcp(listener)?.acceptor(acceptor).handle(handle);
    limit_connections(server.http_builder());
    server.serve(service).await
}

/// A client that sends its headers one byte at a time does not hold a connection for long.
fn limit_connections(builder: &mut hyper_util::server::conn::auto::Builder<hyper_util::rt::TokioExecutor>) {
    let timer = hyper_util::rt::TokioTimer::new();
    builder
        .http1()
        .timer(timer.clone())
        .header_read_timeout(Duration::from_millis(limits::HEADER_TIMEOUT_MS));
    builder
        .http2()
        .timer(timer)
        .max_concurrent_streams(128)
        .keep_alive_interval(Duration::from_secs(30));
}

async fn load_tls(files: &TlsFiles) -> Result<RustlsConfig> {
    // Somebody else in this process may have installed it: the same one.
    let _ = rustls::crypto::aws_lc_rs::default_provider().install_default();
    RustlsConfig::from_pem_file(&files.certificate, &files.key)
        .await
        .map_err(|error| Error::Tls {
            certificate: files.certificate.clone(),
            key: files.key.clone(),
            detail: error.to_string(),
        })
}

type Opened = (Arc<dyn Store>, Option<String>);

fn open(database: &std::path::Path, extent: Extent) -> Result<Opened> {
    if let Some(folder) = database.parent().filter(|folder| !folder.as_os_str().is_empty()) {
        make_private_folder(folder)?;
    }
    let store = SqliteStore::open(database)?;
    let first_password = match extent {
        Extent::Whole if store.count_users()? == 0 => Some(add_first_user(&store)?),
        _ => None,
    };
    Ok((Arc::new(store), first_password))
}

fn make_private_folder(folder: &std::path::Path) -> Result<()> {
    use std::os::unix::fs::DirBuilderExt;
    let made = fs::DirBuilder::new().recursive(true).mode(0o700).create(folder);
    made.map_err(|source| Error::File {
        operation: "create",
        path: folder.to_owned(),
        source,
    })
}

fn add_first_user(store: &dyn Store) -> Result<String> {
    let password = secret::new_password()?;
    let hash = secret::hash_password(&password)?;
    store.add_user(FIRST_USER, &hash, Role::Admin, crate::clock::Clock::default().now_ms())?;
    Ok(password)
}
