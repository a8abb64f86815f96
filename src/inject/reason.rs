//! Why a pod was left as it is.

/// Why nothing was changed. The text says what to do about it, the label is for metrics.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum Skip {
    /// `sidelight.dev/inject: disabled`.
    #[error("sidelight.dev/inject is disabled")]
    Disabled,
    /// Its own annotation says that Sidelight is in it.
    #[error("Sidelight is already in it")]
    AlreadyInjected,
    /// A container of ours that no annotation tells of.
    #[error(
        "it has a container named {0} that was not injected; take that out, or set sidelight.dev/inject to disabled"
    )]
    OwnSidecar(String),
    /// Its ports are those of the node, where a second listener could meet one of another pod.
    #[error("it uses the network of the host; run Sidelight beside it by hand")]
    HostNetwork,
    /// The kubelet has it from a file of its node, and goes by that.
    #[error("it mirrors a static pod of a node; change the file there")]
    MirrorPod,
    /// Nodes of Windows run no image of Linux.
    #[error("it runs on Windows, and Sidelight on Linux only")]
    NotLinux,
    /// What the cluster itself needs.
    #[error("the namespace {0} is the cluster's own")]
    SystemNamespace(String),
    /// Nothing listens, as far as it says.
    #[error(
        "no container declares a TCP port; declare the model's, or name it with sidelight.dev/upstream-port"
    )]
    NoTcpPort,
    /// Any of them could be the model's.
    #[error("several ports could be the model's ({0}); name one with sidelight.dev/upstream-port")]
    SeveralPorts(String),
    /// The annotation names a port by a name that no container declares.
    #[error("no container declares a TCP port named {0}, which sidelight.dev/upstream-port says")]
    UnknownPort(String),
    /// Whoever reaches the model by number would go past a sidecar, and would not be seen.
    #[error(
        "clients reach port {0} by its number; give it a name in the pod and in the Service, say with sidelight.dev/app-port-env which variable moves it, or inject the Service in the same run"
    )]
    NumericTargetPort(u16),
    /// The variable that moves the model has another value than its port.
    #[error("the variable {name} is not {port} now, so it cannot be known to move that port")]
    AppPortEnv {
        /// Of the environment.
        name: String,
        /// That is to be moved.
        port: u16,
    },
    /// The port of the node would lead past the sidecar.
    #[error(
        "port {0} has a hostPort, which would follow the model; take that out, or leave app-port-env out"
    )]
    HostPort(u16),
    /// The annotations ask for a port of a container.
    #[error("port {0} is taken by a container; name another with sidelight.dev/{1}")]
    PortTaken(u16, &'static str),
    /// The sidecar is not root, and may not listen there on every node.
    #[error(
        "port {0} is below 1024, where only root may listen; have the model listen on another, or inject the Service in the same run"
    )]
    PrivilegedPort(u16),
    /// What passes between clients and the model cannot be read.
    #[error(
        "port {0} speaks TLS, as its name, its number, a probe or a Service says; have the model speak HTTP in the pod"
    )]
    Encrypted(u16),
    /// A value that cannot be meant.
    #[error("sidelight.dev/{key} is {found:?}, expected {expected}")]
    BadAnnotation {
        /// Behind the slash.
        key: &'static str,
        /// What stands there.
        found: String,
        /// What could.
        expected: &'static str,
    },
    /// It would not end when the model does.
    #[error("its pods end, and a sidecar that is no native one would keep them from it")]
    WouldNotEnd,
    /// Not what a template of a pod looks like.
    #[error("it is no pod: it has no containers")]
    NotAPod,
    /// No annotation says what was done.
    #[error("Sidelight was not injected into it")]
    NotInjected,
    /// What was injected does not stand where it was put.
    #[error("it was changed since Sidelight was injected; take the sidecar out by hand")]
    ChangedSince,
}

impl Skip {
    /// A word for labels.
    pub fn reason(&self) -> &'static str {
        match self {
            Self::Disabled => "disabled",
            Self::AlreadyInjected => "already_injected",
            Self::OwnSidecar(_) => "own_sidecar",
            Self::HostNetwork => "host_network",
            Self::MirrorPod => "mirror_pod",
            Self::NotLinux => "not_linux",
            Self::SystemNamespace(_) => "system_namespace",
            Self::NoTcpPort => "no_tcp_port",
            Self::SeveralPorts(_) => "several_ports",
            Self::UnknownPort(_) => "unknown_port",
            Self::NumericTargetPort(_) => "numeric_target_port",
            Self::AppPortEnv { .. } => "app_port_env",
            Self::HostPort(_) => "host_port",
            Self::PortTaken(..) => "port_taken",
            Self::PrivilegedPort(_) => "privileged_port",
            Self::Encrypted(_) => "encrypted",
            Self::BadAnnotation { .. } => "bad_annotation",
            Self::WouldNotEnd => "would_not_end",
            Self::NotAPod => "not_a_pod",
            Self::NotInjected => "not_injected",
            Self::ChangedSince => "changed_since",
        }
    }

    /// Whether somebody asked for it, so that nobody needs to be told.
    pub fn is_expected(&self) -> bool {
        matches!(self, Self::Disabled | Self::AlreadyInjected)
    }
}

/// Every word that [`Skip::reason`] can be.
pub const REASONS: &[&str] = &[
    "disabled",
    "already_injected",
    "own_sidecar",
    "host_network",
    "mirror_pod",
    "not_linux",
    "system_namespace",
    "no_tcp_port",
    "several_ports",
    "unknown_port",
    "numeric_target_port",
    "app_port_env",
    "host_port",
    "port_taken",
    "privileged_port",
    "encrypted",
    "bad_annotation",
    "would_not_end",
    "not_a_pod",
    "not_injected",
    "changed_since",
];
