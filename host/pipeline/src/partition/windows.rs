//! The windows of partitions of time, and those that the same schedule has before the first and after the last.

use std::sync::{Arc, Mutex, PoisonError};

use jiff::Timestamp;

use super::PARTITIONS;
use super::calendar::Calendar;
use super::schedule::Tick;

/// The windows of partitions of time: each begins where the one before it ends.
#[derive(Debug)]
pub(super) struct Windows {
    calendar: Calendar,
    /// Where windows begin and the last one ends, in milliseconds since the epoch: one more than windows, or none.
    boundaries: Vec<i64>,
    earlier: Mutex<Beyond>,
    later: Mutex<Beyond>,
}

/// Boundaries beyond the first or the last, in order, as far as they were asked for yet.
#[derive(Debug, Default)]
struct Beyond {
    /// The time up to which they are known.
    bound: Option<i64>,
    boundaries: Arc<[i64]>,
}

impl Windows {
    pub fn new(calendar: Calendar, boundaries: Vec<Timestamp>) -> Self {
        let boundaries = boundaries.into_iter().map(Timestamp::as_millisecond).collect();
        Self { calendar, boundaries, earlier: Mutex::default(), later: Mutex::default() }
    }

    pub fn calendar(&self) -> &Calendar {
        &self.calendar
    }

    /// Where windows begin and the last one ends, in milliseconds since the epoch: one more than windows, or none.
    pub fn boundaries(&self) -> &[i64] {
        &self.boundaries
    }

    /// The boundaries, with those beyond that lie within `bounds`, where the places `from` to `to` lead there.
    pub fn reach(&self, from: i64, to: i64, bounds: Option<(i64, i64)>) -> Reach<'_> {
        let mut reach = Reach { earlier: Arc::default(), boundaries: &self.boundaries, later: Arc::default() };
        let ends = self.boundaries.first().copied().zip(self.boundaries.last().copied());
        let (Some((lower, upper)), Some((first, last))) = (bounds, ends) else { return reach };
        let at = |milliseconds: i64| Timestamp::from_millisecond(milliseconds).unwrap_or(Timestamp::MAX);
        if from < 0 && lower < first {
            reach.earlier = Beyond::within(&self.earlier, lower, i64::le, || {
                self.calendar.ticks_before(at(lower), at(first), PARTITIONS)
            });
        }
        if to >= signed(self.boundaries.len()) && last < upper {
            reach.later = Beyond::within(&self.later, upper, i64::ge, || {
                self.calendar.ticks(at(last.saturating_add(1)), at(upper), PARTITIONS)
            });
        }
        reach
    }
}

impl Beyond {
    /// The boundaries up to `bound` at least, which `ticks` are where they are not known yet.
    fn within(
        known: &Mutex<Self>,
        bound: i64,
        is_beyond: impl Fn(&i64, &i64) -> bool,
        ticks: impl FnOnce() -> Vec<Tick>,
    ) -> Arc<[i64]> {
        let mut known = known.lock().unwrap_or_else(PoisonError::into_inner);
        if !known.bound.is_some_and(|known| is_beyond(&known, &bound)) {
            let boundaries = ticks().iter().map(|tick| tick.at.as_millisecond()).collect();
            *known = Self { bound: Some(bound), boundaries };
        }
        Arc::clone(&known.boundaries)
    }
}

/// Boundaries by their place, counted from the start of the first partition.
pub(super) struct Reach<'a> {
    earlier: Arc<[i64]>,
    boundaries: &'a [i64],
    later: Arc<[i64]>,
}

impl Reach<'_> {
    /// The boundary `place`; what is beyond all is the beginning or the end of time.
    pub fn boundary(&self, place: i64) -> i64 {
        let Ok(mut place) = usize::try_from(place.saturating_add(signed(self.earlier.len()))) else { return i64::MIN };
        for part in [&*self.earlier, self.boundaries, &*self.later] {
            match part.get(place) {
                Some(boundary) => return *boundary,
                None => place = place.saturating_sub(part.len()),
            }
        }
        i64::MAX
    }

    /// The place of the first boundary for which `is_before` does not hold.
    pub fn count(&self, is_before: impl Fn(i64) -> bool + Copy) -> i64 {
        let parts = [&*self.earlier, self.boundaries, &*self.later];
        let count: usize = parts.iter().map(|part| part.partition_point(|boundary| is_before(*boundary))).sum();
        signed(count).saturating_sub(signed(self.earlier.len()))
    }
}

fn signed(length: usize) -> i64 {
    i64::try_from(length).unwrap_or(i64::MAX)
}
