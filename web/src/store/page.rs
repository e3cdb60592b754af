//! Pages of rows: a cursor that the caller hands back unread, and how many rows.

use serde::Serialize;

/// Which rows of an ordered list are wanted.
#[derive(Debug, Clone, Default)]
pub struct Page {
    /// What the page before gave as `next`; `None` for the first page.
    pub cursor: Option<String>,
    /// At most so many rows; 1 to [`crate::limits::MAX_PAGE_ROWS`].
    pub limit: u32,
}

/// One page.
#[derive(Debug, Clone, Serialize)]
pub struct Rows<T> {
    /// The rows, in the list's order.
    pub rows: Vec<T>,
    /// Cursor of the page after this one; `None` on the last.
    pub next: Option<String>,
}

impl Page {
    /// The first page with `limit` rows.
    pub fn first(limit: u32) -> Self {
        Self { cursor: None, limit }
    }

    /// The cursor as `N` integers joined by dots; `None` on the first page and for a cursor that is not ours, which
    /// starts again at the first page.
    pub(crate) fn integers<const N: usize>(&self) -> Option<[i64; N]> {
        let mut parts = self.cursor.as_deref()?.split('.');
        let mut values = [0; N];
        for value in &mut values {
            *value = parts.next()?.parse().ok()?;
        }
        parts.next().is_none().then_some(values)
    }

    /// Cuts one row too many off and makes the cursor of the next page from the last row that stays.
    pub(crate) fn close<T>(&self, mut rows: Vec<T>, cursor: impl Fn(&T) -> String) -> Rows<T> {
        let limit = self.limit as usize;
        let more = rows.len() > limit;
        rows.truncate(limit);
        let next = rows.last().filter(|_| more).map(cursor);
        Rows { rows, next }
    }

    /// Rows to ask the database for: one more than wanted tells whether there is a next page.
    pub(crate) fn fetch(&self) -> i64 {
        i64::from(self.limit) + 1
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_strange_cursor_starts_again() {
        let page = |cursor: &str| Page {
            cursor: Some(cursor.to_owned()),
            limit: 2,
        };
        assert_eq!(page("5.7").integers::<2>(), Some([5, 7]));
        for strange in ["", "5", "5.7.9", "a.b", "5.7'--"] {
            assert_eq!(page(strange).integers::<2>(), None, "{strange}");
        }
        let rows = page("5.7").close(vec![1, 2, 3], ToString::to_string);
        assert_eq!((rows.rows, rows.next.as_deref()), (vec![1, 2], Some("2")));
    }
}
