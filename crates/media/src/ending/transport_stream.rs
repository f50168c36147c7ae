//! MPEG transport streams (ISO/IEC 13818-1): packets of one size, which carry parts of longer ones (PES packets).

use std::collections::HashMap;

/// Bytes of a packet.
const PACKET: usize = 188;
const SYNC: u8 = 0x47;
/// Distances between packets: alone, after a time (Blu-ray), before a checksum (DVB).
const STRIDES: [usize; 3] = [PACKET, 192, 204];
/// Packets in a row before they are taken for packets.
const MIN_PACKETS: usize = 5;
/// Bytes of a PES packet that its length does not count.
const PES_HEADER: usize = 6;

/// Whether the file ends within a packet, or within a PES packet of sound.
pub(super) fn is_incomplete(tail: &[u8]) -> bool {
    let is_packet = |at: usize| tail.get(at) == Some(&SYNC);
    let aligned = |start: usize, stride: usize| (0..MIN_PACKETS).all(|packet| is_packet(start + packet * stride));
    let Some((start, stride)) = STRIDES
        .iter()
        .flat_map(|stride| (0..*stride).map(move |start| (start, *stride)))
        .find(|(start, stride)| aligned(*start, *stride))
    else {
        return false;
    };
    // Bytes that each PES packet still lacks.
    let mut missing: HashMap<u16, usize> = HashMap::new();
    let mut at = start;
    while let Some(packet) = tail.get(at..at + PACKET) {
        if packet[0] != SYNC {
            // Where parts were joined, what comes next need not be a packet.
            return false;
        }
        read_packet(packet, &mut missing);
        at += stride;
    }
    let begun = at < tail.len() && is_packet(at);
    begun || missing.values().any(|missing| *missing > 0)
}

fn read_packet(packet: &[u8], missing: &mut HashMap<u16, usize>) {
    let id = u16::from_be_bytes([packet[1] & 0x1F, packet[2]]);
    let begins = packet[1] & 0x40 != 0;
    let payload = match packet[3] >> 4 & 3 {
        1 => &packet[4..],
        3 => packet.get(5 + usize::from(packet[4])..).unwrap_or_default(),
        _ => return,
    };
    if !begins {
        if let Some(missing) = missing.get_mut(&id) {
            *missing = missing.saturating_sub(payload.len());
        }
        return;
    }
    missing.remove(&id);
    // Video may have no length.
    if let [0, 0, 1, stream, high, low, ..] = *payload
        && super::program_stream::is_sound(stream)
        && (high, low) != (0, 0)
    {
        let length = PES_HEADER + usize::from(u16::from_be_bytes([high, low]));
        missing.insert(id, length.saturating_sub(payload.len()));
    }
}
