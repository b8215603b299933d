//! Archives as registries hand them out: tar, gzip, zip and ar. The same bytes for the same files, each time.
//!
//! Written only, never read; names are ours, short, and need no escaping.

use std::fmt::Write;

/// 2026-01-02T03:04:05Z.
const TIME_SECONDS: u64 = 1_767_323_045;
const TAR_BLOCK_BYTES: usize = 512;

/// A file by its path.
pub(super) type Files<'a> = [(String, &'a [u8])];

/// POSIX ustar.
pub(super) fn tar(files: &Files<'_>) -> Vec<u8> {
    let mut archive = Vec::new();
    for (path, bytes) in files {
        let mut header = Vec::new();
        header.extend(padded(path, 100));
        header.extend_from_slice(b"0000644\x000000000\x000000000\x00");
        header.extend_from_slice(format!("{:011o}\0{TIME_SECONDS:011o}\0", bytes.len()).as_bytes());
        let checksum_at = header.len();
        header.extend_from_slice(b"        0");
        header.extend(padded("", 100));
        header.extend_from_slice(b"ustar\x0000");
        header.resize(TAR_BLOCK_BYTES, 0);
        let sum: u64 = header.iter().copied().map(u64::from).sum();
        header.splice(checksum_at..checksum_at + 8, format!("{sum:06o}\0 ").into_bytes());
        archive.extend(header);
        archive.extend_from_slice(bytes);
        archive.resize(archive.len().next_multiple_of(TAR_BLOCK_BYTES), 0);
    }
    archive.resize(archive.len() + 2 * TAR_BLOCK_BYTES, 0);
    archive
}

/// RFC 1952.
pub(super) fn gzip(bytes: &[u8]) -> Vec<u8> {
    const LEVEL: u8 = 6;
    let mut archive = b"\x1f\x8b\x08\0\0\0\0\0\0\xff".to_vec();
    archive.extend(miniz_oxide::deflate::compress_to_vec(bytes, LEVEL));
    archive.extend(crc32(bytes).to_le_bytes());
    archive.extend(length(bytes).to_le_bytes());
    archive
}

/// PKZIP's format, nothing compressed.
pub(super) fn zip(files: &Files<'_>) -> Vec<u8> {
    let mut archive = Vec::new();
    let mut directory = Vec::new();
    for (path, bytes) in files {
        // Version 2.0, no flags, stored; midnight of 2026-01-02.
        let mut about = b"\x14\0\0\0\0\0\0\0\x22\x5c".to_vec();
        about.extend(crc32(bytes).to_le_bytes());
        about.extend(length(bytes).to_le_bytes());
        about.extend(length(bytes).to_le_bytes());
        about.extend(length(path.as_bytes()).to_le_bytes());
        let at = length(&archive).to_le_bytes();
        archive.extend_from_slice(b"PK\x03\x04");
        archive.extend_from_slice(&about);
        archive.extend_from_slice(path.as_bytes());
        archive.extend_from_slice(bytes);
        directory.extend_from_slice(b"PK\x01\x02\x14\x03");
        directory.extend_from_slice(&about);
        // No comment, first disk, no attributes but the mode 0644 of a file.
        directory.extend_from_slice(&[0; 6]);
        directory.extend_from_slice(&(0o100_644_u32 << 16).to_le_bytes());
        directory.extend_from_slice(&at);
        directory.extend_from_slice(path.as_bytes());
    }
    let at = length(&archive).to_le_bytes();
    let count = u16::try_from(files.len()).unwrap_or_default().to_le_bytes();
    let directory_length = length(&directory).to_le_bytes();
    archive.extend(directory);
    archive.extend_from_slice(b"PK\x05\x06\0\0\0\0");
    archive.extend_from_slice(&[count, count].concat());
    archive.extend_from_slice(&directory_length);
    archive.extend_from_slice(&at);
    archive.extend_from_slice(&[0; 2]);
    archive
}

/// As `ar` writes it, for Debian packages (deb(5)).
pub(super) fn ar(files: &Files<'_>) -> Vec<u8> {
    let mut archive = b"!<arch>\n".to_vec();
    for (name, bytes) in files {
        let header =
            format!("{name:<16}{TIME_SECONDS:<12}{:<6}{:<6}{:<8}{:<10}`\n", 0, 0, "100644", bytes.len());
        archive.extend_from_slice(header.as_bytes());
        archive.extend_from_slice(bytes);
        if bytes.len() % 2 == 1 {
            archive.push(b'\n');
        }
    }
    archive
}

/// Lower case, as registries write hashes.
pub(super) fn hex(bytes: &[u8]) -> String {
    let mut text = String::new();
    for byte in bytes {
        // Writing to a string can't fail.
        let _never = write!(text, "{byte:02x}").is_err();
    }
    text
}

fn padded(text: &str, width: usize) -> Vec<u8> {
    let mut field = text.as_bytes().to_vec();
    field.resize(width, 0);
    field
}

fn length(bytes: &[u8]) -> u32 {
    u32::try_from(bytes.len()).unwrap_or_default()
}

/// That of gzip and zip, bit by bit.
fn crc32(bytes: &[u8]) -> u32 {
    let step = |crc: u32, _bit| if crc & 1 == 1 { crc >> 1 ^ 0xedb8_8320 } else { crc >> 1 };
    !bytes.iter().fold(u32::MAX, |crc, byte| (0..8).fold(crc ^ u32::from(*byte), step))
}
