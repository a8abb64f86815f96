//! The system's allocator, with what a thread has taken of it, the most that ever was, and how often
//! it asked.

#![expect(
    unsafe_code,
    reason = "only an allocator can count, and its trait is unsafe; src/ forbids it"
)]

use std::{
    alloc::{GlobalAlloc, Layout, System},
    cell::Cell,
};

thread_local! {
    /// Without destructors and known when they are compiled, so that reaching them allocates nothing.
    /// What another thread has taken may be given back by this one, so it may be below 0.
    static TAKEN: Cell<isize> = const { Cell::new(0) };
    static MOST: Cell<isize> = const { Cell::new(0) };
    static TIMES: Cell<usize> = const { Cell::new(0) };
}

fn take(bytes: usize) {
    let taken = TAKEN.get().wrapping_add_unsigned(bytes);
    TAKEN.set(taken);
    MOST.set(MOST.get().max(taken));
    TIMES.set(TIMES.get() + 1);
}

fn give(bytes: usize) {
    TAKEN.set(TAKEN.get().wrapping_sub_unsigned(bytes));
}

/// Counts bytes. A block that grows is there twice while it is copied, as with most allocators.
pub(crate) struct Heap;

// SAFETY: all is done by the system's allocator, to which what was asked goes on unchanged.
unsafe impl GlobalAlloc for Heap {
    unsafe fn alloc(&self, layout: Layout) -> *mut u8 {
        take(layout.size());
        unsafe { System.alloc(layout) }
    }

    unsafe fn realloc(&self, block: *mut u8, layout: Layout, size: usize) -> *mut u8 {
        take(size);
        give(layout.size());
        unsafe { System.realloc(block, layout, size) }
    }

    unsafe fn dealloc(&self, block: *mut u8, layout: Layout) {
        give(layout.size());
        unsafe { System.dealloc(block, layout) }
    }
}

/// What some work took of memory.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct Growth {
    /// Bytes at most, above those before.
    pub(crate) most: usize,
    /// Bytes that are still taken behind it; fewer than before count as none.
    pub(crate) left: usize,
    /// How often it asked for some.
    pub(crate) times: usize,
}

/// What `work` takes on this thread, with what it returns.
pub(crate) fn growth(work: impl FnOnce()) -> Growth {
    let (before, times) = (TAKEN.get(), TIMES.get());
    MOST.set(before);
    work();
    let above = |bytes: isize| usize::try_from(bytes - before).unwrap_or(0);
    Growth {
        most: above(MOST.get()),
        left: above(TAKEN.get()),
        times: TIMES.get() - times,
    }
}
