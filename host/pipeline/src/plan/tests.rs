#![expect(clippy::single_range_in_vec_init, reason = "these are lists of ranges")]

use crate::definitions::tests::definitions;
use crate::partition::DynamicKeys;

use super::*;

const WEATHER: &str = r#"
    defaults.io = "lake"
    io.lake.component = "builtin:files"
    partitions.days.daily = { start = "2012-01-30", end = "2012-03-03" }
    partitions.months.monthly = { start = "2012-02-01", end = "2012-04-01" }
    partitions.regions.static = ["eu", "us"]
    [assets.chart]
    command = ["x"]
    type = "text"
    inputs = ["monthly"]
    [assets.monthly]
    command = ["x"]
    type = "json"
    partitions = "months"
    inputs = ["daily"]
    [assets.daily]
    command = ["x"]
    type = "json"
    partitions = "days"
    deps = ["raw"]
    [assets.raw]
    command = ["x"]
    type = "bytes"
    [assets.regional]
    command = ["x"]
    type = "json"
    partitions = "regions"
    "#;

/// The weather until the end of February, so that its months are covered.
fn weather() -> Definitions {
    definitions(&WEATHER.replace("2012-04-01", "2012-03-01"))
}

fn request(selection: &[&str], partition: Option<&str>) -> PlanRequest {
    let selection: Vec<String> = selection.iter().map(|entry| (*entry).to_owned()).collect();
    let partition = partition.map(str::to_owned);
    PlanRequest { partition, now: "2020-01-01T00:00:00Z".parse().unwrap(), ..PlanRequest::of(&selection) }
}

fn keys(plan: &Plan) -> String {
    plan.steps.iter().map(|step| step.key.as_str()).collect::<Vec<_>>().join(" ")
}

fn plan_of(definitions: &Definitions, request: &PlanRequest, stored: &Stored) -> Result<Plan, PlanError> {
    Plan::new(definitions, PartitionSets::new(definitions, request.now, &DynamicKeys::new())?, request, stored)
}

fn planned(definitions: &Definitions, request: &PlanRequest) -> Plan {
    plan_of(definitions, request, &Stored::default()).unwrap()
}

#[test]
fn a_step_follows_what_it_needs_of_this_run_and_loads_the_rest_from_storage() {
    let definitions = definitions(
        r#"
        defaults.io = "lake"
        io.lake.component = "builtin:files"
        [assets.report]
        command = ["x"]
        type = "text"
        inputs = ["summary"]
        deps = ["notice"]
        [assets.summary]
        command = ["x"]
        type = "json"
        inputs = { days = "raw" }
        [assets.raw]
        command = ["x"]
        type = "bytes"
        [assets.notice]
        command = ["x"]
        type = "none"
        "#,
    );
    let plan = planned(&definitions, &request(&["report", "summary", "notice"], None));
    let load = |input: &str, asset: &str, computed_here| PlannedLoad {
        input: input.to_owned(),
        asset: asset.to_owned(),
        with: "lake".to_owned(),
        partitions: None,
        computed_here,
    };
    let step = |key: &str, after: &[Range<usize>], loads: Vec<PlannedLoad>| PlannedStep {
        key: key.to_owned(),
        name: key.to_owned(),
        partitions: None,
        mapping_key: None,
        after: after.to_vec(),
        loads,
    };
    let expected = [
        step("summary", &[], vec![load("days", "raw", false)]),
        step("notice", &[], vec![]),
        step("report", &[0..2], vec![load("summary", "summary", true)]),
    ];
    assert_eq!(plan.steps, expected);
}

#[test]
fn a_partition_loads_those_that_map_to_it_and_waits_for_those_of_this_run() {
    let definitions = weather();
    let plan = planned(&definitions, &request(&["daily", "monthly", "chart"], Some("2012-02-28..2012-03-01")));
    assert_eq!(keys(&plan), "daily[2012-02-28] daily[2012-02-29] daily[2012-03-01] monthly[2012-02-01] chart");
    let [.., monthly, chart] = plan.steps.as_slice() else { panic!("{plan:?}") };
    assert_eq!(monthly.after, [0..2]);
    let february = plan.sets.of(definitions.asset("daily").unwrap()).unwrap();
    let loaded: Vec<_> =
        monthly.loads[0].partitions.as_ref().unwrap().iter().filter_map(|place| february.key(place)).collect();
    assert_eq!((loaded.len(), &*loaded[0], &*loaded[28]), (29, "2012-02-01", "2012-02-29"));
    assert_eq!((chart.after.as_slice(), chart.loads[0].computed_here), (&[3..4][..], true));
}

#[test]
fn partitions_must_be_named_and_be_there() {
    let definitions = weather();
    let refusal = |selection: &[&str], partition: Option<&str>| {
        plan_of(&definitions, &request(selection, partition), &Stored::default()).unwrap_err().to_string()
    };
    assert_eq!(refusal(&[], None), "`daily` and 2 other assets are partitioned: say which partitions are meant");
    assert_eq!(refusal(&["daily"], None), "`daily` is partitioned: say which partitions are meant");
    assert_eq!(
        refusal(&["raw"], Some("2012-02-01")),
        "nothing that is selected is partitioned, so it has no partition `2012-02-01`"
    );
    assert!(refusal(&["daily", "regional"], Some("2012-02-01")).starts_with("`regional`: "));
    assert!(refusal(&["daily"], Some("2012-02-30")).starts_with("`daily`: "));
}

#[test]
fn a_month_whose_days_do_not_all_exist_cannot_be_planned() {
    let refusal = plan_of(&definitions(WEATHER), &request(&["monthly"], Some("2012-03-01")), &Stored::default());
    let refusal = refusal.unwrap_err().to_string();
    assert!(refusal.starts_with("`monthly` cannot load its input `daily`: "), "{refusal}");
}

#[test]
fn what_is_missing_is_computed_with_all_that_depends_on_it() {
    let definitions = weather();
    let mut stored = Stored::default();
    let days = planned(&definitions, &request(&["daily"], Some("all"))).steps.len();
    for (asset, count) in [("daily", days), ("monthly", 1), ("chart", 1), ("raw", 1)] {
        stored.present.insert(asset.to_owned(), Selected::all(count));
    }
    let missing = |stored: &Stored, selection: &[&str]| {
        let request = PlanRequest { extent: Extent::Missing, ..request(selection, None) };
        keys(&plan_of(&definitions, &request, stored).unwrap())
    };
    assert_eq!(missing(&stored, &["+chart"]), "");
    // 2012-02-02, and 2012-01-31 that no month loads.
    let removed = Selected::of_indices([1, 3]);
    stored.present.insert("daily".to_owned(), Selected::all(days).without(&removed));
    assert_eq!(missing(&stored, &["+chart"]), "daily[2012-01-31] daily[2012-02-02] monthly[2012-02-01] chart");
    assert_eq!(missing(&stored, &["chart"]), "");
    assert_eq!(missing(&stored, &["regional"]), "regional[eu] regional[us]");
}

#[test]
fn what_a_run_left_undone_is_missing_still() {
    let definitions = weather();
    let mut stored = Stored::default();
    let days = planned(&definitions, &request(&["daily"], Some("all"))).steps.len();
    for (asset, count, event) in [("raw", 1, 1), ("daily", days, 9), ("monthly", 1, 3), ("chart", 1, 4)] {
        stored.present.insert(asset.to_owned(), Selected::all(count));
        stored.events.insert(asset.to_owned(), (0..count).map(|place| (place, event)).collect());
    }
    let request = PlanRequest { extent: Extent::Missing, ..request(&["+chart"], None) };
    assert_eq!(keys(&plan_of(&definitions, &request, &stored).unwrap()), "monthly[2012-02-01] chart");
}

#[test]
fn what_is_older_than_its_inputs_or_computed_by_something_else_is_changed() {
    let definitions = weather();
    let days = planned(&definitions, &request(&["daily"], Some("all"))).steps.len();
    let mut stored = Stored::default();
    for (asset, count, event) in [("raw", 1, 1), ("daily", days, 2), ("monthly", 1, 3), ("chart", 1, 4)] {
        stored.present.insert(asset.to_owned(), Selected::all(count));
        stored.events.insert(asset.to_owned(), (0..count).map(|place| (place, event)).collect());
    }
    let changed = |stored: &Stored| {
        let request = PlanRequest { extent: Extent::Changed, ..request(&["+chart"], None) };
        keys(&plan_of(&definitions, &request, stored).unwrap())
    };
    assert_eq!(changed(&stored), "");
    stored.events.get_mut("daily").unwrap().insert(4, 9);
    assert_eq!(changed(&stored), "monthly[2012-02-01] chart");
    stored.outdated.insert("daily".to_owned(), Selected::of_indices([0]));
    assert_eq!(changed(&stored), "daily[2012-01-30] monthly[2012-02-01] chart");
}

#[test]
fn an_asset_may_load_earlier_partitions_of_itself() {
    let definitions = definitions(
        r#"
        defaults.io = "lake"
        io.lake.component = "builtin:files"
        partitions.days.daily = { start = "2012-01-01", end = "2012-01-11" }
        [assets.balance]
        command = ["x"]
        type = "json"
        partitions = "days"
        inputs.before = { asset = "balance", partition_mapping = { time_window = { start_offset = -1, end_offset = -1 } } }
        inputs.week_before = { asset = "balance", partition_mapping = { time_window = { start_offset = -7, end_offset = -7 } }, io = "other" }
        [io.other]
        component = "builtin:files"
        "#,
    );
    let plan = planned(&definitions, &request(&[], Some("2012-01-03..2012-01-10")));
    let waits: Vec<_> = plan.steps.iter().map(|step| step.after.as_slice()).collect();
    // The first finds what it loads in storage, the last one loads the one before it and that of a week ago.
    assert_eq!((waits[0], waits[1], waits[7]), (&[][..], &[0..1][..], &[0..1, 6..7][..]));
    let loads: Vec<bool> = plan.steps[0].loads.iter().map(|load| load.computed_here).collect();
    assert_eq!(loads, [false, false]);
    assert_eq!(plan.steps[0].loads.iter().map(|load| load.with.as_str()).collect::<Vec<_>>(), ["lake", "other"]);

    let mut stored = Stored::default();
    stored.present.insert("balance".to_owned(), Selected::all(10).without(&Selected::of_indices([2])));
    let missing = |stored: &Stored, partition| {
        let request = PlanRequest { extent: Extent::Missing, ..request(&[], partition) };
        plan_of(&definitions, &request, stored)
            .unwrap()
            .steps
            .iter()
            .map(|step| step.partitions.clone().unwrap().places.start)
            .collect::<Vec<_>>()
    };
    assert_eq!(missing(&stored, None), [2, 3, 4, 5, 6, 7, 8, 9]);
    assert_eq!(missing(&stored, Some("2012-01-01..2012-01-04")), [2, 3]);
    stored.present.insert("balance".to_owned(), Selected::all(10));
    assert_eq!(missing(&stored, None), [0; 0]);
    // The third was stored after the fourth.
    stored.events.insert("balance".to_owned(), (0..10).map(|place| (place, if place == 2 { 99 } else { 1 })).collect());
    assert_eq!(missing(&stored, None), [3, 4, 5, 6, 7, 8, 9]);
}

const REGIONAL: &str = r#"
    defaults.io = "lake"
    io.lake.component = "builtin:files"
    partitions.days.daily = { start = "2012-01-01", end = "2012-01-04" }
    partitions.regions.static = ["eu", "us"]
    partitions.sales.dimensions = { day = "days", region = "regions" }
    [assets.rate]
    command = ["x"]
    type = "json"
    partitions = "days"
    [assets.sale]
    command = ["x"]
    type = "json"
    partitions = "sales"
    inputs = ["rate"]
    [assets.region]
    command = ["x"]
    type = "json"
    partitions = "regions"
    inputs = ["sale"]
    "#;

#[test]
fn what_depends_on_some_of_a_dimension_is_computed_with_it() {
    let definitions = definitions(REGIONAL);
    let plan = planned(&definitions, &request(&[], Some("2012-01-02")));
    assert_eq!(keys(&plan), "rate[2012-01-02] sale[2012-01-02|eu] sale[2012-01-02|us] region[eu] region[us]");
    assert_eq!(plan.steps[4].after, [2..3]);
    let plan = planned(&definitions, &request(&["sale", "region"], Some("2012-01-02..2012-01-03|us")));
    assert_eq!(keys(&plan), "sale[2012-01-02|us] sale[2012-01-03|us] region[us]");
    let all = planned(&definitions, &request(&["sale", "region"], Some("all")));
    assert_eq!(all.steps[7].after, [1..2, 3..4, 5..6]);
}

#[test]
fn a_day_of_a_region_may_load_the_day_before_of_the_region() {
    let before =
        r#"{ dimensions = { day = { time_window = { start_offset = -1, end_offset = -1 } }, region = "identity" } }"#;
    let itself = format!("inputs = {{ before = {{ asset = \"sale\", partition_mapping = {before} }} }}");
    for dimensions in ["day = \"days\", region = \"regions\"", "region = \"regions\", day = \"days\""] {
        let text = REGIONAL.replace("inputs = [\"rate\"]", &itself);
        let definitions = definitions(&text.replace("day = \"days\", region = \"regions\"", dimensions));
        let plan = planned(&definitions, &request(&["sale"], Some("all")));
        let step = |key: &str| plan.steps.iter().position(|step| step.key == key).unwrap();
        let (first, last) = (step("sale[2012-01-01|us]"), step("sale[2012-01-02|us]"));
        assert_eq!(
            (plan.steps[first].after.as_slice(), plan.steps[last].after.as_slice()),
            (&[][..], &[first..first + 1][..])
        );
        let mut stored = Stored::default();
        stored.present.insert("sale".to_owned(), Selected::all(6).without(&Selected::of_indices([first])));
        let request = PlanRequest { extent: Extent::Missing, ..request(&["sale"], None) };
        let missing = plan_of(&definitions, &request, &stored).unwrap();
        assert_eq!(keys(&missing), "sale[2012-01-01|us] sale[2012-01-02|us] sale[2012-01-03|us]");
    }
}

#[test]
fn more_combinations_than_there_can_be_are_not_planned() {
    let definitions = definitions(&REGIONAL.replace(", end = \"2012-01-04\" }", " }").replace("daily", "hourly"));
    let now = "8000-01-01T00:00:00Z".parse().unwrap();
    let refused = plan_of(&definitions, &PlanRequest { now, ..request(&["sale"], Some("all")) }, &Stored::default());
    assert_eq!(refused.unwrap_err().to_string(), "there are more than 1000000 partitions of `sales`");
}

#[test]
fn places_of_steps_have_none_of_the_gaps_that_partitions_have() {
    let partitions = Selected::of_indices([1, 2, 5, 6, 7, 9]);
    let definitions = weather();
    let daily = definitions.asset("daily").unwrap();
    let planned = PlannedAsset::new(daily, 10, &partitions);
    let places =
        |wanted: &[usize]| planned.places(Some(&Selected::of_indices(wanted.iter().copied()))).ranges().to_vec();
    assert_eq!(places(&[0, 1, 2, 3]), [10..12]);
    assert_eq!(places(&[2, 3, 4, 5]), [11..13]);
    assert_eq!(places(&[6, 9]), [13..14, 15..16]);
    assert_eq!(places(&[3]), Vec::<Range<usize>>::new());
    // 1 and 2 are one step, 5 and 6 another, then 7, then 9.
    let planned = PlannedAsset::new(&Asset { partitions_per_step: Some(2), ..daily.clone() }, 10, &partitions);
    let places =
        |wanted: &[usize]| planned.places(Some(&Selected::of_indices(wanted.iter().copied()))).ranges().to_vec();
    assert_eq!((planned.steps.clone(), places(&[2, 6, 7]), places(&[9])), (10..14, vec![10..13], vec![13..14]));
}

#[test]
fn a_step_computes_so_many_partitions_that_follow_one_another() {
    let text = WEATHER
        .replace("partitions = \"days\"", "partitions = \"days\"\npartitions_per_step = 3")
        .replace("2012-04-01", "2012-03-01");
    let definitions = definitions(&text);
    let plan = planned(&definitions, &request(&["daily"], Some("2012-02-27..2012-03-02")));
    assert_eq!(keys(&plan), "daily[2012-02-27..2012-02-29] daily[2012-03-01..2012-03-02]");
    assert_eq!(plan.steps.iter().map(PlannedStep::partition_count).collect::<Vec<_>>(), [3, 2]);

    // What is missing has gaps, and no step has partitions on both sides of one.
    let missing = PlanRequest { extent: Extent::Missing, ..request(&["daily+"], None) };
    let all_but = |places: [usize; 5]| Selected::all(34).without(&Selected::of_indices(places));
    let stored = Stored { present: [("daily".to_owned(), all_but([2, 3, 4, 5, 9]))].into(), ..Stored::default() };
    let plan = plan_of(&definitions, &missing, &stored).unwrap();
    let days = ["daily[2012-02-01..2012-02-03]", "daily[2012-02-04]", "daily[2012-02-08]"];
    assert_eq!(keys(&plan), format!("{} monthly[2012-02-01] chart", days.join(" ")));
    // A month waits for each step that computes one of its days.
    assert_eq!(plan.steps[3].after, [0..3]);
}

#[test]
fn a_step_of_several_partitions_loads_what_each_of_them_does() {
    let definitions = definitions(
        r#"
        defaults.io = "lake"
        io.lake.component = "builtin:files"
        partitions.days.daily = { start = "2012-01-01", end = "2012-02-01" }
        assets.day = { command = ["x"], type = "json", partitions = "days", partitions_per_step = 2 }
        [assets.week]
        command = ["x"]
        type = "json"
        partitions = "days"
        partitions_per_step = "all"
        inputs.same = "day"
        inputs.before = { asset = "day", partition_mapping = { time_window = { start_offset = -6, end_offset = -3 } } }
        inputs.last = { asset = "day", partition_mapping = "last" }
        "#,
    );
    let plan = planned(&definitions, &request(&["week"], Some("2012-01-10..2012-01-12")));
    assert_eq!(keys(&plan), "week[2012-01-10..2012-01-12]");
    let loads = |name: &str| plan.steps[0].loads.iter().find(|load| load.input == name).unwrap().partitions.clone();
    let of = |range| Some(Selected::of_ranges([range]));
    assert_eq!([loads("same"), loads("before"), loads("last")], [of(9..12), of(3..9), of(30..31)]);

    let plan = planned(&definitions, &request(&[], Some("2012-01-01..2012-01-05")));
    assert_eq!(plan.steps[3].after, [0..3], "{}", keys(&plan));
}

#[test]
fn of_steps_of_several_partitions_those_are_left_that_a_run_left_undone() {
    let text = WEATHER.replace("partitions = \"days\"", "partitions = \"days\"\npartitions_per_step = 3");
    let definitions = definitions(&text);
    let left = |steps: &[&str]| {
        let only = Some(steps.iter().map(|step| (*step).to_owned()).collect());
        let request = PlanRequest { only, ..request(&["daily"], Some("all")) };
        plan_of(&definitions, &request, &Stored::default())
    };
    let steps = ["daily[2012-02-02..2012-02-04]", "daily[2012-02-05..2012-02-07]", "daily[2012-02-08]"];
    assert_eq!(
        keys(&left(&steps).unwrap()),
        "daily[2012-02-02..2012-02-04] daily[2012-02-05..2012-02-07] daily[2012-02-08]"
    );
    let gone = left(&["daily[2012-02-02..2012-02-09]"]).unwrap_err();
    assert!(matches!(gone, PlanError::Gone { step } if step == "daily[2012-02-02..2012-02-09]"));
}
