//! Formats that are nothing but frames, each of which says how long it is: MPEG audio, AAC as ADTS, AC-3.

/// Frames of one kind in a row before they are taken for frames.
const MIN_FRAMES: usize = 4;
/// Bytes that the last frame may lack: encoders leave out its padding.
const TOLERATED_BYTES: usize = 4;
/// Bytes of a header that are looked at.
const HEADER: usize = 7;

/// A frame, from its header.
struct Frame {
    /// Bytes with the header.
    length: usize,
    /// What all frames of a file have in common.
    kind: u32,
}

pub(super) fn mpeg_audio_is_incomplete(tail: &[u8]) -> bool {
    is_incomplete(tail, mpeg_audio)
}

pub(super) fn adts_is_incomplete(tail: &[u8]) -> bool {
    is_incomplete(tail, adts)
}

pub(super) fn ac3_is_incomplete(tail: &[u8]) -> bool {
    is_incomplete(tail, ac3)
}

/// Whether the frames at the end of the data end within one. What follows the frames and is none says nothing.
fn is_incomplete(tail: &[u8], frame: fn([u8; HEADER]) -> Option<Frame>) -> bool {
    let header_at = |at: usize| tail.get(at..)?.first_chunk().copied().and_then(frame);
    let mut start = 0;
    while start < tail.len() {
        let (mut at, mut frames) = (start, 0);
        let kind = header_at(at).map(|frame| frame.kind);
        while let Some(next) = header_at(at).filter(|next| Some(next.kind) == kind) {
            at += next.length;
            frames += 1;
        }
        if frames < MIN_FRAMES {
            start += 1;
        } else if at + HEADER > tail.len() {
            let begun = tail.get(at).is_some_and(|byte| *byte == tail[start]);
            return begun || at > tail.len() + TOLERATED_BYTES;
        } else {
            start = at;
        }
    }
    false
}

/// Layers I to III of MPEG-1, MPEG-2 and 2.5 (ISO/IEC 11172-3, 13818-3).
fn mpeg_audio(header: [u8; HEADER]) -> Option<Frame> {
    /// Kilobits a second by layer, of MPEG-1 and of MPEG-2.
    const RATES: [[[u32; 15]; 3]; 2] = [
        [
            [0, 32, 64, 96, 128, 160, 192, 224, 256, 288, 320, 352, 384, 416, 448],
            [0, 32, 48, 56, 64, 80, 96, 112, 128, 160, 192, 224, 256, 320, 384],
            [0, 32, 40, 48, 56, 64, 80, 96, 112, 128, 160, 192, 224, 256, 320],
        ],
        [
            [0, 32, 48, 56, 64, 80, 96, 112, 128, 144, 160, 176, 192, 224, 256],
            [0, 8, 16, 24, 32, 40, 48, 56, 64, 80, 96, 112, 128, 144, 160],
            [0, 8, 16, 24, 32, 40, 48, 56, 64, 80, 96, 112, 128, 144, 160],
        ],
    ];
    let [0xFF, second, third, ..] = header else { return None };
    if second & 0xE0 != 0xE0 {
        return None;
    }
    let halved = match second >> 3 & 3 {
        3 => 1,
        2 => 2,
        0 => 4,
        _ => return None,
    };
    let layer = 4 - usize::from(second >> 1 & 3);
    let sample_rate = [44_100, 48_000, 32_000].get(usize::from(third >> 2 & 3))? / halved;
    let rates = RATES[usize::from(halved > 1)].get(layer - 1)?;
    // 0 is a rate of its own choice, which the header does not name.
    let bits = rates.get(usize::from(third >> 4)).filter(|rate| **rate > 0)? * 1000;
    let padding = u32::from(third >> 1 & 1);
    let length = match layer {
        1 => (12 * bits / sample_rate + padding) * 4,
        3 if halved > 1 => 72 * bits / sample_rate + padding,
        _ => 144 * bits / sample_rate + padding,
    };
    Some(Frame { length: length as usize, kind: u32::from(second & 0xFE) << 8 | u32::from(third & 0x0C) })
}

/// ISO/IEC 13818-7, section 6.2.
fn adts(header: [u8; HEADER]) -> Option<Frame> {
    let [0xFF, second, third, fourth, fifth, sixth, _] = header else { return None };
    let length = usize::from(fourth & 3) << 11 | usize::from(fifth) << 3 | usize::from(sixth >> 5);
    let valid = second & 0xF6 == 0xF0 && length >= HEADER;
    valid.then(|| Frame { length, kind: u32::from(second) << 8 | u32::from(third & 0xFC) })
}

/// AC-3 and E-AC-3 (ETSI TS 102 366).
fn ac3(header: [u8; HEADER]) -> Option<Frame> {
    const RATES: [u32; 19] = [32, 40, 48, 56, 64, 80, 96, 112, 128, 160, 192, 224, 256, 320, 384, 448, 512, 576, 640];
    /// From this version of the bit stream on, it is E-AC-3.
    const ENHANCED: u8 = 11;
    let [0x0B, 0x77, third, fourth, fifth, sixth, _] = header else { return None };
    if sixth >> 3 >= ENHANCED {
        let words = (u32::from(third & 7) << 8 | u32::from(fourth)) + 1;
        return Some(Frame { length: words as usize * 2, kind: u32::from(sixth >> 3) });
    }
    let rate = RATES.get(usize::from(fifth >> 1 & 0x1F))?;
    let words = match fifth >> 6 {
        0 => rate * 2,
        1 => rate * 320 / 147 + u32::from(fifth & 1),
        2 => rate * 3,
        _ => return None,
    };
    Some(Frame { length: words as usize * 2, kind: u32::from(sixth >> 3) << 8 | u32::from(fifth >> 6) })
}
