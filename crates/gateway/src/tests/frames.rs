//! What stands in the frames of a WebSocket: handles on their way out, secrets on their way in, and what is no frame.

use super::harness::{Cell, Wishes, cell, hear, run, start};
use super::origin::{head, listen};
use crate::exchange::HeldSecret;
use crate::protocol::frame::tests::frame;
use crate::secret::Secret;
use crate::wire::Word;
use cofferdam_policy::net::credential::Credential;
use cofferdam_policy::net::handle::{Handle, Shape};
use cofferdam_policy::net::refusal::RefusalReason;
use data_encoding::BASE64;
use std::net::SocketAddr;
use std::time::Duration;
use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _};
use tokio::net::TcpStream;
use tokio::sync::mpsc;
use tokio::time::timeout;

const SECRET: &str = "ghp_planted0123456789plantedABCDEFGHIJab";
const MASK: Option<[u8; 4]> = Some([0x37, 0xFA, 0x21, 0x3D]);

fn handle() -> Handle {
    Handle::new(&Shape::of(SECRET.as_bytes()).unwrap(), &[7; 32])
}

/// What an origin has heard: heads first, then whatever came by its WebSockets.
type Heard = mpsc::UnboundedReceiver<Vec<u8>>;

/// An origin that agrees to every WebSocket with `fields` more, says `says`, and hears.
async fn origin(fields: &'static str, says: Vec<u8>) -> (SocketAddr, Heard) {
    let (seen, heard) = mpsc::unbounded_channel();
    let address = listen(move |mut socket: TcpStream| {
        let (seen, says) = (seen.clone(), says.clone());
        async move {
            seen.send(head(&mut socket).await.to_ascii_lowercase().into_bytes()).unwrap();
            let answer = format!(
                "HTTP/1.1 101 Switching Protocols\r\nConnection: Upgrade\r\nUpgrade: websocket\r\n\
                 Sec-WebSocket-Accept: s3pPLMBiTxaQ9kYGzzhZRbK+xOo=\r\n{fields}\r\n"
            );
            socket.write_all(&[answer.as_bytes(), &says].concat()).await.unwrap();
            let mut all = Vec::new();
            let _gone = socket.read_to_end(&mut all).await;
            seen.send(all).unwrap();
        }
    })
    .await;
    (address, heard)
}

/// A session with a handle, whose secret is for `/own` and nothing else.
fn holding(origin: SocketAddr) -> Cell {
    let place = "header:Authorization: Bearer {}".parse().unwrap();
    let names = ("github".parse().unwrap(), "github".parse().unwrap());
    let credential = Credential { name: names.0, secret: names.1, place, environment: Vec::new() };
    let value = Some(Secret::new(SECRET.into()).unwrap());
    let to = format!("http://a.test:{}", origin.port());
    start(Wishes {
        grants: vec![
            format!("{to}/own protocols=http,websocket credential=github address=127.0.0.1"),
            format!("{to}/ws protocols=http,websocket address=127.0.0.1"),
        ],
        secrets: vec![HeldSecret { credential, handle: handle(), value, expires: None, revoked: false }],
        ..Wishes::default()
    })
}

async fn open(cell: &Cell, origin: SocketAddr, path: &str) -> (TcpStream, String) {
    let host = format!("a.test:{}", origin.port());
    let mut client = cell.connect(&host).await;
    let request = format!(
        "GET {path} HTTP/1.1\r\nHost: {host}\r\nConnection: Upgrade\r\nUpgrade: websocket\r\n\
         Sec-WebSocket-Version: 13\r\nSec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ==\r\n\
         Sec-WebSocket-Extensions: permessage-deflate\r\n\r\n"
    );
    client.write_all(request.as_bytes()).await.unwrap();
    let answer = head(&mut client).await;
    (client, answer)
}

async fn next(heard: &mut Heard) -> Vec<u8> {
    timeout(Duration::from_secs(10), heard.recv()).await.unwrap().unwrap()
}

fn message(content: &[u8]) -> Vec<u8> {
    frame(0x82, MASK, content)
}

#[test]
fn a_handle_in_a_frame_ends_the_websocket_however_it_is_cut_and_written() {
    run(async {
        let (address, mut heard) = origin("", Vec::new()).await;
        let handle = handle();
        let handle = handle.as_str().as_bytes();
        let (front, end) = handle.split_at(handle.len() - 20);
        let percent: String = handle.iter().map(|byte| format!("%{byte:02x}")).collect();
        for leak in [
            message(handle),
            frame(0x81, Some([1, 0, 255, 9]), &[b"a token: ", handle, b"."].concat()),
            message(&[&[b'x'; 9000][..], handle, &[b'y'; 9000]].concat()),
            [frame(0x01, MASK, front), frame(0x80, Some([4, 3, 2, 1]), end)].concat(),
            [frame(0x02, MASK, front), frame(0x89, MASK, b"still here?"), frame(0x80, MASK, end)].concat(),
            [message(front), message(end)].concat(),
            handle.iter().flat_map(|byte| message(&[*byte])).collect(),
            [frame(0x89, MASK, front), message(end)].concat(),
            [message(front), frame(0x8A, MASK, end)].concat(),
            [frame(0x89, MASK, front), message(b"-"), frame(0x89, MASK, end)].concat(),
            frame(0x89, MASK, handle),
            frame(0x88, MASK, &[b"\x03\xE8", handle].concat()),
            message(percent.as_bytes()),
            message(BASE64.encode(&[b"x:", handle].concat()).as_bytes()),
        ] {
            for step in [leak.len(), 11] {
                // One for each: what is alike is told once, and then counted.
                let cell = holding(address);
                let (mut client, answer) = open(&cell, address, "/ws").await;
                assert!(answer.starts_with("HTTP/1.1 101"), "{answer}");
                let before = message(b"nothing that anybody would mind");
                client.write_all(&before).await.unwrap();
                for piece in leak.chunks(step) {
                    // The end may come before all is written.
                    let _gone = client.write_all(piece).await;
                }
                assert_eq!(hear(&mut client).await, "");
                let place = cell
                    .word(|word| if let Word::Leak(note) = word { Some(note.place.clone()) } else { None });
                assert_eq!(place.await, "body");
                let _head = next(&mut heard).await;
                let all = next(&mut heard).await;
                assert!(all.len() < before.len() + leak.len(), "it has come whole: {all:?}");
                cell.refused(RefusalReason::HandleMisplaced).await;
            }
        }
    });
}

#[test]
fn a_websocket_has_the_room_of_its_request_until_it_ends() {
    run(async {
        let (address, _heard) = origin("", Vec::new()).await;
        let cell = holding(address);
        let room = cell.gate.room.available_permits();
        let (client, answer) = open(&cell, address, "/ws").await;
        assert!(answer.starts_with("HTTP/1.1 101"), "{answer}");
        assert_eq!(cell.gate.room.available_permits(), room - 1);
        drop(client);
        cell.request().await;
        assert_eq!(cell.gate.room.available_permits(), room);
    });
}

#[test]
fn frames_without_a_handle_pass_as_they_are() {
    run(async {
        let says = [frame(0x81, None, b"welcome"), frame(0x88, None, b"")].concat();
        let (address, mut heard) = origin("", says.clone()).await;
        let cell = holding(address);
        for path in ["/ws", "/own"] {
            let (mut client, answer) = open(&cell, address, path).await;
            assert!(answer.starts_with("HTTP/1.1 101"), "{answer}");
            let mut welcome = vec![0; says.len()];
            client.read_exact(&mut welcome).await.unwrap();
            assert_eq!(welcome, says);
            let frames = [
                frame(0x01, MASK, b"in "),
                frame(0x89, MASK, &[b'p'; 125]),
                frame(0x00, MASK, b""),
                frame(0x80, Some([0; 4]), b"pieces"),
                message(&[b'z'; 60_000]),
            ]
            .concat();
            for piece in frames.chunks(4_001) {
                client.write_all(piece).await.unwrap();
            }
            client.shutdown().await.unwrap();
            let _end = hear(&mut client).await;
            let asked = String::from_utf8(next(&mut heard).await).unwrap();
            assert!(!asked.contains("extensions"), "{asked}");
            assert!(next(&mut heard).await == frames, "{path}");
        }
    });
}

#[test]
fn what_is_no_frame_ends_the_websocket() {
    run(async {
        let (address, mut heard) = origin("", Vec::new()).await;
        let cell = holding(address);
        for broken in [
            frame(0x82, None, b"without a mask"),
            frame(0xC2, MASK, b"compressed"),
            frame(0x83, MASK, b"of no kind"),
            frame(0x89, MASK, &[b'x'; 126]),
            frame(0x80, MASK, b"of no message"),
            b"GET /smuggled HTTP/1.1\r\n\r\n".to_vec(),
        ] {
            let (mut client, _) = open(&cell, address, "/ws").await;
            client.write_all(&broken).await.unwrap();
            assert_eq!(hear(&mut client).await, "");
            let _head = next(&mut heard).await;
            assert_eq!(next(&mut heard).await, b"");
        }
        cell.refused(RefusalReason::MessageMalformed).await;
    });
}

#[test]
fn compression_is_agreed_to_only_where_there_is_nothing_to_look_for() {
    run(async {
        let extended = "Sec-WebSocket-Extensions: permessage-deflate\r\n";
        let (address, mut heard) = origin(extended, Vec::new()).await;
        let (_, answer) = open(&holding(address), address, "/ws").await;
        assert!(answer.starts_with("HTTP/1.1 502"), "nobody has offered that: {answer}");
        let _head = next(&mut heard).await;
        let _nothing = next(&mut heard).await;

        let without =
            cell(&[&format!("http://a.test:{} protocols=http,websocket address=127.0.0.1", address.port())]);
        let (mut client, answer) = open(&without, address, "/ws").await;
        assert!(answer.to_ascii_lowercase().contains("permessage-deflate"), "{answer}");
        let compressed = frame(0xC1, MASK, b"anything");
        client.write_all(&compressed).await.unwrap();
        client.shutdown().await.unwrap();
        let asked = String::from_utf8(next(&mut heard).await).unwrap();
        assert!(asked.contains("sec-websocket-extensions: permessage-deflate"), "{asked}");
        assert_eq!(next(&mut heard).await, compressed);
    });
}

#[test]
fn a_secret_that_comes_in_a_frame_is_replaced_and_one_that_is_cut_by_frames_ends_the_websocket() {
    run(async {
        let (front, end) = SECRET.split_at(9);
        let whole = frame(0x81, None, format!("you are {SECRET}.").as_bytes());
        let cut = [frame(0x01, None, front.as_bytes()), frame(0x80, None, end.as_bytes())].concat();
        for (says, is_cut) in [([whole, frame(0x88, None, b"")].concat(), false), (cut, true)] {
            let (address, _heard) = origin("", says.clone()).await;
            let cell = holding(address);
            let (mut client, answer) = open(&cell, address, "/own").await;
            assert!(answer.starts_with("HTTP/1.1 101"), "{answer}");
            if !is_cut {
                let mut heard = vec![0; says.len()];
                client.read_exact(&mut heard).await.unwrap();
                let heard = String::from_utf8_lossy(&heard);
                assert!(heard.contains("you are ") && !heard.contains("planted"), "{heard}");
                continue;
            }
            let heard = hear(&mut client).await;
            assert!(!heard.contains(end), "{heard}");
            cell.refused(RefusalReason::UpstreamMalformed).await;
        }
    });
}
