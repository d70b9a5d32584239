//! The keys of partitions, side by side in memory and found by binary search.

/// Bytes of a partition key, at most.
pub(super) const KEY_BYTES: usize = 1_000;

/// What stands between the keys of several dimensions.
pub(super) const SEPARATOR: char = '|';

/// Keys in the order of their partitions.
#[derive(Clone, Debug, Default)]
pub(super) struct Keys {
    text: String,
    ends: Vec<usize>,
    /// The indices in the order of the keys, where that is another order.
    sorted: Option<Vec<usize>>,
}

impl Keys {
    /// The keys that `texts` writes one after the other; where one comes twice, the keys before its second place.
    pub fn new<E>(texts: impl IntoIterator<Item = E>, mut write: impl FnMut(E, &mut String)) -> (Self, Option<Twice>) {
        let mut keys = Self::default();
        for text in texts {
            write(text, &mut keys.text);
            keys.ends.push(keys.text.len());
        }
        let twice = keys.sort();
        if let Some(Twice { second, .. }) = twice {
            keys.ends.truncate(second);
            keys.text.truncate(keys.ends.last().copied().unwrap_or(0));
            keys.sorted = None;
            keys.sort();
        }
        (keys, twice)
    }

    pub fn len(&self) -> usize {
        self.ends.len()
    }

    pub fn get(&self, index: usize) -> Option<&str> {
        let end = *self.ends.get(index)?;
        let start = index.checked_sub(1).and_then(|before| self.ends.get(before)).copied().unwrap_or(0);
        self.text.get(start..end)
    }

    pub fn find(&self, key: &str) -> Option<usize> {
        let place = self.place(key);
        let index = self.at_place(place)?;
        (self.get(index) == Some(key)).then_some(index)
    }

    /// The keys that stand next to `key` in the order of keys, at most `count` on either side.
    pub fn around(&self, key: &str, count: usize) -> impl Iterator<Item = &str> + Clone {
        let place = self.place(key);
        let places = place.saturating_sub(count)..place.saturating_add(count).min(self.len());
        places.filter_map(|place| self.get(self.at_place(place)?))
    }

    /// How many keys are less than `key`.
    fn place(&self, key: &str) -> usize {
        let (mut low, mut high) = (0, self.len());
        while low < high {
            let middle = low.midpoint(high);
            let is_less = self.at_place(middle).and_then(|index| self.get(index)).is_some_and(|found| found < key);
            if is_less { low = middle.saturating_add(1) } else { high = middle }
        }
        low
    }

    fn at_place(&self, place: usize) -> Option<usize> {
        match &self.sorted {
            Some(sorted) => sorted.get(place).copied(),
            None => (place < self.len()).then_some(place),
        }
    }

    /// Brings the keys in order, and finds the first that was there before.
    fn sort(&mut self) -> Option<Twice> {
        let mut indices = 0..self.len();
        if indices.clone().zip(indices.clone().skip(1)).all(|(a, b)| self.get(a) < self.get(b)) {
            return None;
        }
        let mut sorted: Vec<usize> = indices.by_ref().collect();
        sorted.sort_by_key(|index| self.get(*index));
        let pairs = sorted.iter().zip(sorted.iter().skip(1)).filter(|(a, b)| self.get(**a) == self.get(**b));
        let twice = pairs.map(|(a, b)| Twice { first: *a, second: *b }).min_by_key(|twice| twice.second);
        self.sorted = Some(sorted);
        twice
    }
}

/// Two partitions that have one key.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Twice {
    pub first: usize,
    pub second: usize,
}

/// Why `key` cannot be one, in words that follow it.
pub(crate) fn refuse_key(key: &str) -> Option<String> {
    if key.is_empty() {
        return Some("is empty".to_owned());
    }
    if key == "all" {
        return Some("is `all`, which means all partitions".to_owned());
    }
    if key.chars().any(char::is_control) {
        return Some("holds a control character".to_owned());
    }
    (key.len() > KEY_BYTES).then(|| format!("is longer than {KEY_BYTES} bytes"))
}

/// Why `key` cannot be one of a dimension of partitions, in words that follow it.
pub(crate) fn refuse_dimension_key(key: &str) -> Option<&'static str> {
    if key == "*" {
        return Some("is `*`, which means all of a dimension");
    }
    key.contains(SEPARATOR).then_some("holds a `|`, which separates the keys of dimensions")
}

/// Why `key` cannot be added to dynamic partitions, which may be a dimension, in words that follow it.
pub fn refuse_dynamic_key(key: &str) -> Option<String> {
    refuse_key(key).or_else(|| refuse_dimension_key(key).map(str::to_owned))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn keys(texts: &[&str]) -> (Keys, Option<Twice>) {
        Keys::new(texts, |text, all| all.push_str(text))
    }

    #[test]
    fn keys_keep_their_order_and_are_found() {
        for texts in [["a", "b", "c", "dd"], ["dd", "b", "c", "a"]] {
            let (keys, twice) = keys(&texts);
            assert_eq!(twice, None);
            for (index, text) in texts.iter().enumerate() {
                assert_eq!((keys.get(index), keys.find(text)), (Some(*text), Some(index)));
            }
            assert_eq!((keys.get(4), keys.find("d"), keys.find("e"), keys.find("")), (None, None, None, None));
            assert_eq!(keys.around("c", 1).collect::<Vec<_>>(), ["b", "c"]);
        }
    }

    #[test]
    fn keys_end_before_the_first_that_was_there_before() {
        let (keys, twice) = keys(&["z", "a", "b", "a", "b"]);
        assert_eq!(twice, Some(Twice { first: 1, second: 3 }));
        assert_eq!((keys.len(), keys.get(2), keys.find("b"), keys.find("z")), (3, Some("b"), Some(2), Some(0)));
    }

    #[test]
    fn what_cannot_be_a_key_says_why() {
        assert_eq!(refuse_key("a..b / ü"), None);
        assert_eq!(refuse_key("").as_deref(), Some("is empty"));
        assert_eq!(refuse_key("a\nb").as_deref(), Some("holds a control character"));
        assert_eq!(refuse_key(&"x".repeat(1001)).as_deref(), Some("is longer than 1000 bytes"));
        assert_eq!((refuse_key("a|b"), refuse_key("*"), refuse_dimension_key("a*b")), (None, None, None));
        assert_eq!(refuse_dimension_key("a|b"), Some("holds a `|`, which separates the keys of dimensions"));
        assert_eq!(refuse_dimension_key("*"), Some("is `*`, which means all of a dimension"));
    }
}
