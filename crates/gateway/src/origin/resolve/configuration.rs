//! `resolv.conf` and `hosts`, read again when they change (resolv.conf(5), hosts(5)).
//!
//! Only name servers and addresses are taken from them; options and search lists are not followed.

use crate::wire::Resolver as Places;
use cofferdam_policy::net::host::DnsName;
use std::collections::HashMap;
use std::net::{IpAddr, Ipv4Addr, SocketAddr};
use std::path::{Path, PathBuf};
use std::time::{Duration, Instant, SystemTime};

const FILE_BYTES_MAX: u64 = 4 << 20;
const SERVERS_MAX: usize = 3;
const DNS_PORT: u16 = 53;
/// The files are not looked at more often.
const LOOKED_AFTER: Duration = Duration::from_secs(2);

/// What both files say.
#[derive(Debug)]
pub(crate) struct Configuration {
    pub(crate) servers: Vec<SocketAddr>,
    pub(crate) hosts: HashMap<String, Vec<IpAddr>>,
    places: [PathBuf; 2],
    changed: [Option<SystemTime>; 2],
    looked: Instant,
}

impl Configuration {
    pub(crate) fn read(places: &Places) -> Self {
        let places = [places.configuration.clone(), places.hosts.clone()];
        let [configuration, hosts] = &places;
        Self {
            servers: servers(&text(configuration)),
            hosts: hosts_of(&text(hosts)),
            changed: [changed(configuration), changed(hosts)],
            places,
            looked: Instant::now(),
        }
    }

    /// Reads again what has changed; what can't be read any more stays as it was.
    pub(crate) fn refresh(&mut self) {
        if self.looked.elapsed() < LOOKED_AFTER {
            return;
        }
        self.looked = Instant::now();
        let [configuration, hosts] = &self.places;
        let now = [changed(configuration), changed(hosts)];
        if now == self.changed {
            return;
        }
        let read = [text(configuration), text(hosts)];
        let [configuration, hosts] = &read;
        if !configuration.is_empty() {
            self.servers = servers(configuration);
        }
        if !hosts.is_empty() {
            self.hosts = hosts_of(hosts);
        }
        self.changed = now;
    }
}

fn changed(path: &Path) -> Option<SystemTime> {
    std::fs::metadata(path).and_then(|status| status.modified()).ok()
}

/// Empty where there is none: then there are no servers, and names are refused for want of an answer.
fn text(path: &Path) -> String {
    let mut bytes = Vec::new();
    if let Ok(file) = std::fs::File::open(path) {
        let mut part = std::io::Read::take(file, FILE_BYTES_MAX);
        if std::io::Read::read_to_end(&mut part, &mut bytes).is_err() {
            bytes.clear();
        }
    }
    String::from_utf8_lossy(&bytes).into_owned()
}

/// Without a line for one, the machine itself is asked, as the C library does.
fn servers(text: &str) -> Vec<SocketAddr> {
    let named = text.lines().filter_map(|line| {
        let mut words = line.split_ascii_whitespace();
        let address = (words.next() == Some("nameserver")).then(|| words.next())??;
        // A zone id may follow: link-local servers are reached through it.
        let socket = if address.contains('%') { None } else { address.parse::<IpAddr>().ok() };
        socket.map(|address| SocketAddr::new(address, DNS_PORT))
    });
    let servers: Vec<SocketAddr> = named.take(SERVERS_MAX).collect();
    if servers.is_empty() { vec![SocketAddr::new(Ipv4Addr::LOCALHOST.into(), DNS_PORT)] } else { servers }
}

fn hosts_of(text: &str) -> HashMap<String, Vec<IpAddr>> {
    let mut hosts: HashMap<String, Vec<IpAddr>> = HashMap::new();
    for line in text.lines() {
        let line = line.split_once('#').map_or(line, |(before, _comment)| before);
        let mut words = line.split_ascii_whitespace();
        let Some(address) = words.next().and_then(|word| word.parse::<IpAddr>().ok()) else { continue };
        for name in words.filter_map(|word| DnsName::parse(word).ok()) {
            let addresses = hosts.entry(name.as_str().to_owned()).or_default();
            if !addresses.contains(&address) {
                addresses.push(address);
            }
        }
    }
    hosts
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn name_servers_are_taken_and_nothing_else() {
        let text = "# a\nsearch a.test\nnameserver 192.0.2.1\n nameserver\t2001:db8::1 # b\noptions ndots:5\nnameserver x\n";
        let expected = ["192.0.2.1:53", "[2001:db8::1]:53"].map(|text| text.parse::<SocketAddr>().unwrap());
        assert_eq!(servers(text), expected);
        assert_eq!(servers(""), ["127.0.0.1:53".parse().unwrap()]);
        assert_eq!(servers(&"nameserver 192.0.2.1\n".repeat(9)).len(), SERVERS_MAX);
    }

    #[test]
    fn hosts_have_all_their_addresses() {
        let hosts =
            hosts_of("192.0.2.1 A.test b.test # c.test\n2001:db8::1 a.test\nx d.test\n192.0.2.1 a.test\n");
        assert_eq!(hosts["a.test"].len(), 2);
        assert_eq!(hosts["b.test"].len(), 1);
        assert!(!hosts.contains_key("c.test") && !hosts.contains_key("d.test"));
    }
}
