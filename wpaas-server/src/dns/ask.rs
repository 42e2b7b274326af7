use std::net::{IpAddr, Ipv4Addr, Ipv6Addr, SocketAddr};
use std::time::Duration;

use hickory_server::proto::op::{Message, Query};
use hickory_server::proto::rr::{Name, RData, Record, RecordType};
use tokio::net::UdpSocket;
use wpaas_core::name::Hostname;

/// The longest wait for an answer.
const PATIENCE: Duration = Duration::from_secs(1);
/// The largest answer over UDP.
const LARGEST: usize = 4096;

/// The texts that the server at this address has under this name; none without a good answer in time.
pub async fn texts_at(server: SocketAddr, name: &str) -> Vec<String> {
    let answers = tokio::time::timeout(PATIENCE, ask(server, name, RecordType::TXT)).await.ok().flatten();
    answers.iter().flatten().filter_map(text).collect()
}

/// What a TXT record says, its pieces put together; `None` of another record, and of what is no text.
pub(crate) fn text(record: &Record) -> Option<String> {
    let RData::TXT(text) = &record.data else { return None };
    String::from_utf8(text.txt_data.concat()).ok()
}

/// The serial of the zone that the server at this address answers for; `None` without a good answer in time.
pub async fn serial_at(server: SocketAddr, origin: &Hostname) -> Option<u32> {
    let asked = ask(server, origin.as_str(), RecordType::SOA);
    let answers = tokio::time::timeout(PATIENCE, asked).await.ok().flatten()?;
    answers.iter().find_map(|record| match &record.data {
        RData::SOA(soa) => Some(soa.serial),
        _ => None,
    })
}

async fn ask(server: SocketAddr, name: &str, kind: RecordType) -> Option<Vec<Record>> {
    let name = Name::from_ascii(format!("{name}.")).ok()?;
    let mut question = Message::query();
    question.add_query(Query::query(name, kind));
    // Who listens everywhere listens here, too.
    let (own, here) = match server.ip() {
        IpAddr::V4(_) => (IpAddr::V4(Ipv4Addr::UNSPECIFIED), IpAddr::V4(Ipv4Addr::LOCALHOST)),
        IpAddr::V6(_) => (IpAddr::V6(Ipv6Addr::UNSPECIFIED), IpAddr::V6(Ipv6Addr::LOCALHOST)),
    };
    let at = if server.ip().is_unspecified() { here } else { server.ip() };
    let socket = UdpSocket::bind((own, 0)).await.ok()?;
    socket.connect((at, server.port())).await.ok()?;
    socket.send(&question.to_vec().ok()?).await.ok()?;
    let mut answer = vec![0; LARGEST];
    let length = socket.recv(&mut answer).await.ok()?;
    Some(Message::from_vec(&answer[..length]).ok()?.answers)
}
