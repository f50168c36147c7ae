//! How a list is cut into pages.

/// Cuts `rows` to a page of `limit`, for which one row more was read, and gives the cursor of the next page: that of the
/// last row left, or `None` if the extra row is not there, and this is the last page.
pub fn cut_page<Row, Cursor>(rows: &mut Vec<Row>, limit: u32, cursor: impl FnOnce(&Row) -> Cursor) -> Option<Cursor> {
    let limit = limit as usize;
    let more = rows.len() > limit;
    rows.truncate(limit);
    rows.last().filter(|_| more).map(cursor)
}
