//! The system's allocator, with how much of it is taken and the most that ever was.

#![expect(
    unsafe_code,
    reason = "only an allocator can count, and its trait is unsafe; src/ forbids it"
)]

use std::{
    alloc::{GlobalAlloc, Layout, System},
    sync::atomic::{AtomicUsize, Ordering::Relaxed},
};

static TAKEN: AtomicUsize = AtomicUsize::new(0);
static MOST: AtomicUsize = AtomicUsize::new(0);

fn take(bytes: usize) {
    let taken = TAKEN.fetch_add(bytes, Relaxed) + bytes;
    MOST.fetch_max(taken, Relaxed);
}

fn give(bytes: usize) {
    TAKEN.fetch_sub(bytes, Relaxed);
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

/// Bytes that were taken at most while `work` ran, above those before it, with what it returned.
pub(crate) fn growth(work: impl FnOnce()) -> usize {
    let before = TAKEN.load(Relaxed);
    MOST.store(before, Relaxed);
    work();
    MOST.load(Relaxed) - before
}
