//! Downloads against a server on the loopback that behaves badly.

use std::io::Write as _;
use std::net::SocketAddr;

use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _};
use tokio::net::TcpListener;

use super::*;

/// Answers every connection by these bytes, with a pause before the last half, then closes it.
async fn serve(answer: Vec<u8>, pause: Duration) -> SocketAddr {
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let address = listener.local_addr().unwrap();
    tokio::spawn(async move {
        while let Ok((mut stream, _)) = listener.accept().await {
            let mut request = [0; 1024];
            let (head, tail) = answer.split_at(answer.len() / 2);
            if stream.read(&mut request).await.is_ok_and(|read| read > 0) {
                stream.write_all(head).await.ok();
                stream.flush().await.ok();
                tokio::time::sleep(pause).await;
                stream.write_all(tail).await.ok();
            }
        }
    });
    address
}

fn ok(length: usize, body: &[u8]) -> Vec<u8> {
    let mut answer = format!("HTTP/1.1 200 OK\r\nContent-Length: {length}\r\n\r\n").into_bytes();
    answer.extend_from_slice(body);
    answer
}

fn downloads() -> Downloads {
    Downloads::with_limits(Duration::from_millis(500), Duration::from_millis(300))
}

async fn fetch(answer: Vec<u8>, pause: Duration) -> (Result<Digest, DownloadError>, Vec<u8>) {
    let address = serve(answer, pause).await;
    let folder = tempfile::tempdir().unwrap();
    let into = folder.path().join("file");
    let got = downloads().file(&format!("http://{address}/x"), &into, &|_, _| {}).await;
    (got, super::super::files::read_bytes(&into).unwrap_or_default())
}

#[tokio::test]
async fn a_file_arrives_whole_with_its_digest() {
    let body = vec![7; 100_000];
    let (digest, written) = fetch(ok(body.len(), &body), Duration::from_millis(50)).await;
    assert_eq!(digest.unwrap(), Digest::of(&body));
    assert_eq!(written, body);
}

#[tokio::test]
async fn a_truncated_file_is_an_error() {
    let (digest, _) = fetch(ok(1000, &[7; 500]), Duration::ZERO).await;
    assert!(matches!(digest, Err(DownloadError::Broken { .. })), "{digest:?}");
}

#[tokio::test]
async fn a_host_that_falls_silent_is_an_error() {
    let (digest, _) = fetch(ok(100_000, &vec![7; 100_000]), Duration::from_secs(5)).await;
    assert!(matches!(digest, Err(DownloadError::Broken { .. })), "{digest:?}");
}

#[tokio::test]
async fn another_status_is_an_error_that_names_it() {
    let answer = b"HTTP/1.1 404 Not Found\r\nContent-Length: 0\r\n\r\n".to_vec();
    let (digest, _) = fetch(answer, Duration::ZERO).await;
    assert!(digest.unwrap_err().to_string().ends_with("answers 404 Not Found"));
}

#[tokio::test]
async fn a_dead_host_is_asked_once() {
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let address = listener.local_addr().unwrap();
    drop(listener);
    let downloads = downloads();
    let first = downloads.text(&format!("http://{address}/a")).await.unwrap_err();
    assert!(matches!(first, DownloadError::Unreachable { .. }), "{first:?}");
    let alive = serve(ok(2, b"ok"), Duration::ZERO).await;
    assert_eq!(downloads.dead().len(), 1);
    assert!(downloads.text(&format!("http://{address}/b")).await.is_err());
    assert_eq!(downloads.text(&format!("http://{alive}/c")).await.unwrap(), "ok");
}

#[tokio::test]
async fn a_full_disk_is_named() {
    if !Path::new("/dev/full").exists() {
        return;
    }
    let address = serve(ok(10, &[1; 10]), Duration::ZERO).await;
    let url = format!("http://{address}/x");
    let error = downloads().file(&url, Path::new("/dev/full"), &|_, _| {}).await.unwrap_err();
    assert!(error.is_full_disk(), "{error:?}");
}

#[test]
fn one_file_comes_out_of_an_archive() {
    let folder = tempfile::tempdir().unwrap();
    let (archive, into) = (folder.path().join("a.tar.gz"), folder.path().join("out"));
    let gzip = flate2::write::GzEncoder::new(Vec::new(), flate2::Compression::fast());
    let mut tar = tar::Builder::new(gzip);
    let mut header = tar::Header::new_gnu();
    header.set_size(3);
    tar.append_data(&mut header, "linux-amd64/helm", &b"abc"[..]).unwrap();
    let bytes = tar.into_inner().unwrap().finish().unwrap();
    File::create(&archive).unwrap().write_all(&bytes).unwrap();
    unpack(&archive, "linux-amd64/helm", &into).unwrap();
    assert_eq!(super::super::files::read(&into).unwrap(), "abc");
    assert!(unpack(&archive, "other", &into).unwrap_err().source.to_string().contains("other"));
    File::create(&archive).unwrap().write_all(&bytes[..bytes.len() / 2]).unwrap();
    assert!(unpack(&archive, "linux-amd64/helm", &into).is_err());
}
