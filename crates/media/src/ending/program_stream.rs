//! MPEG program streams, such as VOB files (ISO/IEC 13818-1, 11172-1): packs of PES packets.

const PACK: u8 = 0xBA;
const END: u8 = 0xB9;
/// Elements in a row before they are taken for elements.
const MIN_ELEMENTS: usize = 4;

/// Whether a PES packet with this `stream_id` has sound: MPEG audio, private data (AC-3, DTS, LPCM), or a newer codec.
pub(super) const fn is_sound(stream: u8) -> bool {
    matches!(stream, 0xC0..=0xDF | 0xBD | 0xFD)
}

/// Whether the file ends within an element.
pub(super) fn is_incomplete(tail: &[u8]) -> bool {
    let mut start = 0;
    while start < tail.len() {
        let (mut at, mut elements) = (start, 0);
        while let Some(length) = tail.get(at..).and_then(length) {
            at += length;
            elements += 1;
        }
        if elements < MIN_ELEMENTS {
            start += 1;
        } else if at >= tail.len() {
            return at > tail.len();
        } else {
            start = at;
        }
    }
    false
}

/// Bytes of the element that begins here.
fn length(bytes: &[u8]) -> Option<usize> {
    match *bytes {
        [0, 0, 1, END, ..] => Some(4),
        [0, 0, 1, PACK, fifth, ..] if fifth >> 4 == 2 => Some(12),
        [0, 0, 1, PACK, ..] => Some(14 + usize::from(bytes.get(13)? & 7)),
        [0, 0, 1, 0xBB..=0xFF, high, low, ..] => Some(6 + usize::from(u16::from_be_bytes([high, low]))),
        _ => None,
    }
}
