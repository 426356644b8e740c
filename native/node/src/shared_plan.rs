//! A plan that two threads carry out together: whole files go to whoever comes first, a few at a time; the file that the plan before
//! left open, and the one that this plan leaves open, are for the thread that owns the plan. Its digests are for whoever has time first.
//! Names are free and no two files of a plan have the same one, so that their order means nothing.

use std::sync::{Arc, Condvar, Mutex, MutexGuard, PoisonError};

use crate::error::Error;
use crate::hash::{State as Digest, locked, update_two};
use crate::write_files::{BEGIN, END, OpenFile, Records};

/// Files that a thread takes at once, at most: a look at what is left costs as much as a tenth of a file.
const MOST_AT_ONCE: u32 = 16;

/// What is hashed beside a plan.
pub struct Hashed<'a> {
    pub digest: Arc<Mutex<Digest>>,
    pub bytes: &'a [u8],
}

/// The first record that could not be carried out.
pub struct Failure {
    pub index: u32,
    pub error: Error,
}

/// What is left.
struct Left {
    /// Of the whole files.
    next: u32,
    end: u32,
    hashed: bool,
    /// Threads that are at something.
    active: u32,
    /// Nothing may be begun any more: it is over, or something failed.
    closed: bool,
    failure: Option<Failure>,
}

/// One plan. Its arrays are looked at between `new` and the end of `carry_out`, and never after it.
pub struct SharedPlan {
    records: Records<'static>,
    count: u32,
    /// Where the first file begins in this plan, and where the last one that it does not end.
    whole: (u32, u32),
    /// None, one, or two of different digests.
    hashed: Vec<Hashed<'static>>,
    left: Mutex<Left>,
    idle: Condvar,
}

impl SharedPlan {
    /// # Safety
    /// The arrays and `hashed` stay as they are, and where they are, until `carry_out` has returned.
    pub unsafe fn new(plan: &[f64], names: &[u8], data: &[u8], count: u32, hashed: Vec<Hashed<'_>>) -> Self {
        let records = unsafe { Records { plan: forever(plan), names: forever(names), data: forever(data) } };
        let kept = |Hashed { digest, bytes }: Hashed<'_>| Hashed { digest, bytes: unsafe { forever(bytes) } };
        let hashed: Vec<_> = hashed.into_iter().map(kept).collect();
        let first = (0..count).find(|index| records.flags(*index) & BEGIN != 0).unwrap_or(count);
        let is_whole = first == count || records.flags(count - 1) & END != 0;
        let end = if is_whole {
            count
        } else {
            (first..count).rfind(|index| records.flags(*index) & BEGIN != 0).unwrap_or(count)
        };
        let left = Left { next: first, end, hashed: hashed.is_empty(), active: 0, closed: false, failure: None };
        SharedPlan { records, count, whole: (first, end), hashed, left: Mutex::new(left), idle: Condvar::new() }
    }

    /// Carries the plan out; returns the count of its records. `open` is the file that is not whole, before it and after it.
    pub fn carry_out(&self, open: &mut Option<OpenFile>) -> Result<u32, Failure> {
        let (first, end) = self.whole;
        self.in_order(0, first, open);
        self.whole_files();
        if !self.lock().closed {
            self.in_order(end, self.count, open);
        }
        self.hash();
        let mut left = self.lock();
        left.closed = true;
        while left.active > 0 {
            left = self.idle.wait(left).unwrap_or_else(PoisonError::into_inner);
        }
        left.failure.take().map_or(Ok(self.count), Err)
    }

    /// Does what is left to be done by another thread than that of `carry_out`.
    pub fn help(&self) {
        self.hash();
        self.whole_files();
    }

    fn in_order(&self, from: u32, to: u32, open: &mut Option<OpenFile>) {
        for index in from..to {
            if let Err(error) = self.records.write(index, open) {
                return self.fail(&mut self.lock(), Failure { index, error });
            }
        }
    }

    fn whole_files(&self) {
        let mut left = self.lock();
        while let Some((from, to)) = self.take(&mut left) {
            left.active += 1;
            drop(left);
            let failure = self.write_whole(from, to);
            left = self.lock();
            if let Some(failure) = failure {
                self.fail(&mut left, failure);
            }
            self.done(&mut left);
        }
    }

    /// The records of the next files: in order, so that all before one that fails are done or under way.
    fn take(&self, left: &mut Left) -> Option<(u32, u32)> {
        if left.closed || left.next == left.end {
            return None;
        }
        let from = left.next;
        let wanted = ((left.end - from) / 4).clamp(1, MOST_AT_ONCE);
        let to = (from + wanted..left.end).find(|index| self.records.flags(*index) & BEGIN != 0).unwrap_or(left.end);
        left.next = to;
        Some((from, to))
    }

    fn write_whole(&self, from: u32, to: u32) -> Option<Failure> {
        let mut open = None;
        (from..to).find_map(|index| self.records.write(index, &mut open).err().map(|error| Failure { index, error }))
    }

    fn hash(&self) {
        let mut left = self.lock();
        if left.closed || left.hashed {
            return;
        }
        left.hashed = true;
        left.active += 1;
        drop(left);
        match &self.hashed[..] {
            [one, two] => update_two(&mut locked(&one.digest), one.bytes, &mut locked(&two.digest), two.bytes),
            all => all.iter().for_each(|one| locked(&one.digest).update(one.bytes)),
        }
        self.done(&mut self.lock());
    }

    fn done(&self, left: &mut Left) {
        left.active -= 1;
        if left.active == 0 {
            self.idle.notify_all();
        }
    }

    /// Of several failures the first of the plan counts.
    fn fail(&self, left: &mut Left, failure: Failure) {
        left.closed = true;
        if left.failure.as_ref().is_none_or(|before| failure.index < before.index) {
            left.failure = Some(failure);
        }
    }

    fn lock(&self) -> MutexGuard<'_, Left> {
        self.left.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// # Safety
/// As `SharedPlan::new`: nobody looks at it when it is gone.
unsafe fn forever<T>(slice: &[T]) -> &'static [T] {
    unsafe { std::slice::from_raw_parts(slice.as_ptr(), slice.len()) }
}
