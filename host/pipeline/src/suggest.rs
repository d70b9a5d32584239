//! The name that was probably meant.

/// The candidate that is closest to `name`, where one is close enough to have been meant.
pub(crate) fn closest<'a>(name: &str, candidates: impl IntoIterator<Item = &'a str>) -> Option<String> {
    let allowed = (name.chars().count() / 3).clamp(1, 4);
    let distance = |candidate: &str| strsim::damerau_levenshtein(&name.to_lowercase(), &candidate.to_lowercase());
    let close = candidates.into_iter().map(|candidate| (distance(candidate), candidate));
    let (_, candidate) = close.filter(|(distance, _)| *distance <= allowed).min_by_key(|(distance, _)| *distance)?;
    Some(candidate.to_owned())
}

/// ``did you mean `x`?``, or the candidates where none is close and they are few.
pub(crate) fn help<'a>(name: &str, candidates: impl IntoIterator<Item = &'a str> + Clone) -> Option<String> {
    if let Some(candidate) = closest(name, candidates.clone()) {
        return Some(format!("did you mean `{candidate}`?"));
    }
    let all: Vec<String> = candidates.into_iter().take(9).map(|candidate| format!("`{candidate}`")).collect();
    match all.split_last()? {
        (last, []) => Some(format!("there is {last}")),
        (last, rest) if rest.len() < 8 => Some(format!("there are {} and {last}", rest.join(", "))),
        _ => None,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_close_name_is_suggested_and_a_distant_one_is_not() {
        let names = ["daily_weather", "monthly_weather", "io"];
        assert_eq!(closest("dialy_weather", names), Some("daily_weather".to_owned()));
        assert_eq!(closest("Daily_Weather", names), Some("daily_weather".to_owned()));
        assert_eq!(closest("oi", names), Some("io".to_owned()));
        assert_eq!(closest("sales", names), None);
    }

    #[test]
    fn few_candidates_are_listed_where_none_is_close() {
        assert_eq!(help("x", ["lake", "scratch"]).as_deref(), Some("there are `lake` and `scratch`"));
        assert_eq!(help("x", ["lake"]).as_deref(), Some("there is `lake`"));
        assert_eq!(help("x", []), None);
    }
}
