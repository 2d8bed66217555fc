//! Options at the end of a block.

use super::super::order::Order;

const END: u16 = 0;

/// Code and value of each option, up to the end mark or the first that does not fit.
pub(super) fn options(order: Order, mut bytes: &[u8]) -> impl Iterator<Item = (u16, &[u8])> {
    std::iter::from_fn(move || {
        let ([a, b, c, d], rest) = bytes.split_first_chunk()?;
        let code = order.u16([*a, *b]);
        let length = usize::from(order.u16([*c, *d]));
        if code == END {
            return None;
        }
        let (value, rest) = rest.split_at_checked(length)?;
        let padding = length.next_multiple_of(4) - length;
        bytes = rest.get(padding..).unwrap_or_default();
        Some((code, value))
    })
}
