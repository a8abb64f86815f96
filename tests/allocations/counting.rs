//! The system's allocator, with a count for each thread.

#![expect(
    unsafe_code,
    reason = "only an allocator can count, and its trait is unsafe; src/ forbids it"
)]

use std::{
    alloc::{GlobalAlloc, Layout, System},
    cell::Cell,
    collections::BTreeMap,
    fs,
    sync::atomic::{AtomicU32, AtomicUsize, Ordering::Relaxed},
};

/// More threads than the test has; what comes later shares the last place.
const THREADS: usize = 64;

/// What one thread asked for, and how the system calls it: 0 when the place is free.
struct Place {
    thread: AtomicU32,
    count: AtomicU32,
}

static PLACES: [Place; THREADS] = [const {
    Place {
        thread: AtomicU32::new(0),
        count: AtomicU32::new(0),
    }
}; THREADS];
static TAKEN: AtomicUsize = AtomicUsize::new(0);

thread_local! {
    /// Without a destructor and known when it is compiled, so that reaching it allocates nothing.
    static MINE: Cell<Option<usize>> = const { Cell::new(None) };
}

unsafe extern "C" {
    /// The number of this thread in `/proc/self/task`.
    safe fn gettid() -> i32;
}

fn count() {
    let mine = MINE.get().unwrap_or_else(|| {
        let place = TAKEN.fetch_add(1, Relaxed).min(THREADS - 1);
        PLACES[place].thread.store(gettid().unsigned_abs(), Relaxed);
        MINE.set(Some(place));
        place
    });
    PLACES[mine].count.fetch_add(1, Relaxed);
}

/// Counts what is asked for, a block that grows too; not what is given back.
pub(crate) struct Counting;

// SAFETY: all is done by the system's allocator, to which what was asked goes on unchanged.
unsafe impl GlobalAlloc for Counting {
    unsafe fn alloc(&self, layout: Layout) -> *mut u8 {
        count();
        unsafe { System.alloc(layout) }
    }

    unsafe fn alloc_zeroed(&self, layout: Layout) -> *mut u8 {
        count();
        unsafe { System.alloc_zeroed(layout) }
    }

    unsafe fn realloc(&self, block: *mut u8, layout: Layout, size: usize) -> *mut u8 {
        count();
        unsafe { System.realloc(block, layout, size) }
    }

    unsafe fn dealloc(&self, block: *mut u8, layout: Layout) {
        unsafe { System.dealloc(block, layout) }
    }
}

/// How often each thread that still runs has asked so far, by its name.
pub(crate) fn by_thread() -> BTreeMap<String, u32> {
    let mut counts = BTreeMap::new();
    for place in &PLACES {
        let thread = place.thread.load(Relaxed);
        if let Ok(name) = fs::read_to_string(format!("/proc/self/task/{thread}/comm")) {
            *counts.entry(name.trim().to_owned()).or_default() += place.count.load(Relaxed);
        }
    }
    counts
}
