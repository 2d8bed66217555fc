//! Which sets frames have been to.

use std::cell::{Cell, RefCell};

/// The sets touched since the last reading: a bit each, and a list in the order of first touch.
pub(super) struct Touched {
    bits: Vec<Cell<u64>>,
    list: RefCell<Vec<u32>>,
}

impl Touched {
    pub(super) fn new(sets: usize) -> Self {
        Self {
            bits: vec![Cell::new(0); sets.div_ceil(64)],
            list: RefCell::default(),
        }
    }

    #[inline]
    pub(super) fn mark(&self, index: u32) {
        let Some(word) = self.bits.get(index as usize / 64) else {
            return;
        };
        let bit = 1 << (index % 64);
        if word.get() & bit == 0 {
            word.set(word.get() | bit);
            self.list.borrow_mut().push(index);
        }
    }

    pub(super) fn take(&self) -> Vec<u32> {
        for word in &self.bits {
            word.set(0);
        }
        self.list.take()
    }
}
