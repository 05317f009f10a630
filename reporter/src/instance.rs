//! The name of this running copy, if the application sets none.

use uuid::Uuid;

/// `$HOSTNAME`, else the host's name, else a UUID.
pub(crate) fn default_instance() -> String {
    let host = || {
        let name =
            ["/proc/sys/kernel/hostname", "/etc/hostname"].iter().find_map(|path| std::fs::read_to_string(path).ok());
        name.or_else(|| std::env::var("COMPUTERNAME").ok())
    };
    choose(std::env::var("HOSTNAME").ok(), host)
}

fn choose(hostname: Option<String>, host: impl FnOnce() -> Option<String>) -> String {
    let named = |name: String| {
        let name = name.trim();
        (!name.is_empty()).then(|| name.to_owned())
    };
    hostname.and_then(named).or_else(|| host().and_then(named)).unwrap_or_else(|| Uuid::now_v7().to_string())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_first_name_that_is_not_blank_is_taken() {
        let name = |hostname: Option<&str>, host: Option<&str>| {
            choose(hostname.map(str::to_owned), || host.map(str::to_owned))
        };
        assert_eq!(name(Some("pod-7"), Some("node")), "pod-7");
        assert_eq!(name(Some(""), Some("node\n")), "node");
        assert_eq!(name(None, Some("node\n")), "node");
        assert!(Uuid::try_parse(&name(None, Some(" \n"))).is_ok());
        assert!(Uuid::try_parse(&name(None, None)).is_ok());
    }
}
