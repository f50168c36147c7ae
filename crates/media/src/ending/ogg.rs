//! Ogg (RFC 3533): pages, the last of which says that it is the last.

const CAPTURE: &[u8] = b"OggS";
/// Bytes of a page before its table of segments.
const HEADER: usize = 27;
/// Flag of the last page of a stream.
const END_OF_STREAM: u8 = 4;

/// Whether the file ends within a page, or its last page is not the last one of its stream.
pub(super) fn is_incomplete(tail: &[u8]) -> bool {
    let mut pages = tail.windows(CAPTURE.len()).enumerate().filter(|(_, window)| *window == CAPTURE);
    let Some((at, _)) = pages.next_back() else { return false };
    let page = &tail[at..];
    let segments = page.get(HEADER - 1).map_or(0, |count| usize::from(*count));
    let Some(lengths) = page.get(HEADER..HEADER + segments).filter(|_| page.len() >= HEADER) else { return true };
    let length = HEADER + segments + lengths.iter().map(|length| usize::from(*length)).sum::<usize>();
    page.len() < length || page[5] & END_OF_STREAM == 0
}
