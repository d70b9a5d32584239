//! Checks a configuration against a schema.

use std::cmp::Ordering;

use serde_json::{Map, Number, Value};

use super::{ConfigSchema, Type, Types, Words};
use crate::text::safe_line;

/// Mistakes that are told of one configuration, at most.
const MISTAKES: usize = 20;
/// Values that a mistake lists, at most, and bytes of each.
const LISTED: usize = 12;
const LISTED_BYTES: usize = 60;
/// Bytes of a place that are shown.
const POINTER_BYTES: usize = 200;

/// What does not fit in a configuration. No value of the configuration is in it, since that may be a secret, and what the
/// schema says is safe to show.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct ConfigMistake {
    /// Where: keys, and numbers of entries of arrays from 0 on, the outermost first.
    pub path: Vec<String>,
    /// The place as a JSON pointer, what is wanted there and what is there instead.
    pub message: String,
    /// Where it is a key that is not taken, those that are.
    pub known_keys: Option<Vec<String>>,
}

impl ConfigSchema {
    /// What does not fit in `config`, of which the values at the paths `unknown` are known by their type alone.
    pub fn check(&self, config: &Value, unknown: &[Vec<String>]) -> Vec<ConfigMistake> {
        let mut check = Check { unknown, path: Vec::new(), mistakes: Vec::new() };
        check.value(self, config);
        check.mistakes
    }

    /// What is missing where there is no configuration at all.
    pub fn check_absent(&self) -> Vec<ConfigMistake> {
        let mut check = Check { unknown: &[], path: Vec::new(), mistakes: Vec::new() };
        if let Some(words) = self.words() {
            check.required(words, &Map::new());
        }
        check.mistakes
    }
}

struct Check<'a> {
    unknown: &'a [Vec<String>],
    /// Of the value that is looked at.
    path: Vec<String>,
    mistakes: Vec<ConfigMistake>,
}

impl Check<'_> {
    fn value(&mut self, schema: &ConfigSchema, value: &Value) {
        let words = match schema {
            ConfigSchema::Everything => return,
            ConfigSchema::Nothing => return self.tell("is not taken"),
            ConfigSchema::Words(words) => words,
        };
        if !words.takes_type_of(value) {
            let wanted: Vec<String> = words.types().iter().map(|wanted| wanted.name().to_owned()).collect();
            return self.tell(format!("is {}, and this is {}", either(&wanted), kind(value)));
        }
        let before = self.mistakes.len();
        if self.is_known() {
            self.choice(words, value);
            match value {
                Value::String(text) => self.length(words, text),
                Value::Number(number) => self.range(words, number),
                _ => {}
            }
        }
        match value {
            Value::Object(entries) => self.entries(words, entries),
            Value::Array(items) => self.items(words, items),
            _ => {}
        }
        // What is wrong already would be told again by each form.
        if self.mistakes.len() == before {
            self.any_of(&words.any_of, value);
            self.one_of(&words.one_of, value);
        }
    }

    fn choice(&mut self, words: &Words, value: &Value) {
        if let Some(choices) = words.choices.as_ref().filter(|choices| !choices.iter().any(|other| same(value, other)))
        {
            self.tell(format!("is {}, and this is something else", either(&listed(choices))));
        }
        if let Some(constant) = words.constant.as_ref().filter(|constant| !same(value, constant)) {
            self.tell(format!("is {}, and this is something else", shown(constant)));
        }
    }

    fn length(&mut self, words: &Words, text: &str) {
        self.count(text.chars().count(), words.min_length, words.max_length, "characters");
    }

    fn range(&mut self, words: &Words, number: &Number) {
        if let Some(minimum) = words.minimum.as_ref().filter(|minimum| order(number, minimum) == Ordering::Less) {
            self.tell(format!("is at least {minimum}, and this is less"));
        }
        if let Some(maximum) = words.maximum.as_ref().filter(|maximum| order(number, maximum) == Ordering::Greater) {
            self.tell(format!("is at most {maximum}, and this is more"));
        }
    }

    fn entries(&mut self, words: &Words, entries: &Map<String, Value>) {
        for (key, value) in entries {
            self.path.push(key.clone());
            match (words.properties.get(key), &words.additional_properties) {
                (None, Some(ConfigSchema::Nothing)) => self.unknown_key(words),
                (Some(schema), _) | (None, Some(schema)) => self.value(schema, value),
                (None, None) => {}
            }
            self.path.pop();
        }
        self.required(words, entries);
    }

    fn required(&mut self, words: &Words, entries: &Map<String, Value>) {
        for key in words.required.iter().filter(|key| !entries.contains_key(*key)) {
            self.tell(format!("lacks `{}`", safe_line(key, LISTED_BYTES)));
        }
    }

    fn items(&mut self, words: &Words, items: &[Value]) {
        self.count(items.len(), words.min_items, words.max_items, "entries");
        let Some(schema) = &words.items else { return };
        for (place, item) in items.iter().enumerate() {
            self.path.push(place.to_string());
            self.value(schema, item);
            self.path.pop();
        }
    }

    fn count(&mut self, count: usize, minimum: Option<u64>, maximum: Option<u64>, what: &str) {
        let count = count as u64;
        if let Some(minimum) = minimum.filter(|minimum| count < *minimum) {
            self.tell(format!("has at least {minimum} {what}, and this has fewer"));
        }
        if let Some(maximum) = maximum.filter(|maximum| count > *maximum) {
            self.tell(format!("has at most {maximum} {what}, and this has more"));
        }
    }

    fn any_of(&mut self, schemas: &[ConfigSchema], value: &Value) {
        let tried = self.alternatives(schemas, value);
        if !schemas.is_empty() && tried.iter().all(|mistakes| !mistakes.is_empty()) {
            self.none_of(schemas, tried, value);
        }
    }

    fn one_of(&mut self, schemas: &[ConfigSchema], value: &Value) {
        let tried = self.alternatives(schemas, value);
        match tried.iter().filter(|mistakes| mistakes.is_empty()).count() {
            0 if !schemas.is_empty() => self.none_of(schemas, tried, value),
            // What is not known may turn out to fit one alone.
            several if several > 1 && self.is_known() => {
                self.tell(format!("has {several} forms of which it may have only one{}", forms(schemas)));
            }
            _ => {}
        }
    }

    /// What does not fit in `value`, by each of `schemas`.
    fn alternatives(&self, schemas: &[ConfigSchema], value: &Value) -> Vec<Vec<ConfigMistake>> {
        let mistakes = |schema| {
            let mut check = Check { unknown: self.unknown, path: self.path.clone(), mistakes: Vec::new() };
            check.value(schema, value);
            check.mistakes
        };
        schemas.iter().map(mistakes).collect()
    }

    /// That `value` fits none of `schemas`, each of which has mistakes in `tried`.
    fn none_of(&mut self, schemas: &[ConfigSchema], tried: Vec<Vec<ConfigMistake>>, value: &Value) {
        let of_its_type = |schema: &ConfigSchema| schema.words().is_some_and(|words| words.takes_type_of(value));
        let mut likely = schemas.iter().zip(tried).filter(|(schema, _)| of_its_type(schema));
        match (likely.next(), likely.next()) {
            // What is wrong by the only one that was meant says more.
            (Some((_, mistakes)), None) => {
                self.mistakes.extend(mistakes);
                self.mistakes.truncate(MISTAKES);
            }
            _ => self.tell(format!("has none of the forms that it may have{}", forms(schemas))),
        }
    }

    fn unknown_key(&mut self, words: &Words) {
        let known = words.properties.keys().take(LISTED).map(|key| safe_line(key, LISTED_BYTES)).collect();
        self.push("is not a key that is taken", Some(known));
    }

    fn tell(&mut self, wrong: impl AsRef<str>) {
        self.push(wrong.as_ref(), None);
    }

    fn push(&mut self, wrong: &str, known_keys: Option<Vec<String>>) {
        if self.mistakes.len() < MISTAKES {
            let subject = if self.path.is_empty() { "it".to_owned() } else { format!("`{}`", pointer(&self.path)) };
            let message = format!("{subject} {wrong}");
            self.mistakes.push(ConfigMistake { path: self.path.clone(), message, known_keys });
        }
    }

    /// Whether the value at the path, and all in it, is known.
    fn is_known(&self) -> bool {
        !self.unknown.iter().any(|unknown| unknown.starts_with(&self.path))
    }
}

impl Words {
    fn types(&self) -> &[Type] {
        match &self.types {
            None => &[],
            Some(Types::One(one)) => std::slice::from_ref(one),
            Some(Types::Several(several)) => several,
        }
    }

    fn takes_type_of(&self, value: &Value) -> bool {
        self.types.is_none() || self.types().iter().any(|wanted| wanted.is_of(value))
    }
}

impl Type {
    fn is_of(self, value: &Value) -> bool {
        match (self, value) {
            (Self::Null, Value::Null)
            | (Self::Boolean, Value::Bool(_))
            | (Self::Number, Value::Number(_))
            | (Self::String, Value::String(_))
            | (Self::Array, Value::Array(_))
            | (Self::Object, Value::Object(_)) => true,
            // As JSON Schema has it, 1.0 is an integer.
            (Self::Integer, Value::Number(number)) => number.as_f64().is_some_and(|number| number.fract() == 0.0),
            _ => false,
        }
    }

    fn name(self) -> &'static str {
        match self {
            Self::Null => "null",
            Self::Boolean => "a boolean",
            Self::Integer => "an integer",
            Self::Number => "a number",
            Self::String => "a text",
            Self::Array => "an array",
            Self::Object => "a table",
        }
    }
}

fn kind(value: &Value) -> &'static str {
    let types = [Type::Null, Type::Boolean, Type::Integer, Type::Number, Type::String, Type::Array, Type::Object];
    types.into_iter().find(|of| of.is_of(value)).map_or("something else", Type::name)
}

/// Whether two values are the same, as JSON Schema has it: 1 is 1.0.
fn same(one: &Value, other: &Value) -> bool {
    match (one, other) {
        (Value::Number(one), Value::Number(other)) => order(one, other) == Ordering::Equal,
        (Value::Array(one), Value::Array(other)) => {
            one.len() == other.len() && one.iter().zip(other).all(|(one, other)| same(one, other))
        }
        (Value::Object(one), Value::Object(other)) => {
            let has = |(key, value): (&String, &Value)| other.get(key).is_some_and(|other| same(value, other));
            one.len() == other.len() && one.iter().all(has)
        }
        _ => one == other,
    }
}

fn order(one: &Number, other: &Number) -> Ordering {
    match (one.as_i128(), other.as_i128()) {
        (Some(one), Some(other)) => one.cmp(&other),
        // No number of JSON is none.
        _ => one.as_f64().partial_cmp(&other.as_f64()).unwrap_or(Ordering::Equal),
    }
}

/// The titles of `schemas`, where each has one.
fn forms(schemas: &[ConfigSchema]) -> String {
    let title = |schema: &ConfigSchema| Some(safe_line(schema.words()?.title.as_ref()?, LISTED_BYTES));
    match schemas.iter().take(LISTED).map(title).collect::<Option<Vec<_>>>() {
        Some(titles) => format!(": {}", titles.join("; ")),
        None => String::new(),
    }
}

fn listed(values: &[Value]) -> Vec<String> {
    let mut all: Vec<String> = values.iter().take(LISTED).map(shown).collect();
    if values.len() > LISTED {
        all.push(format!("{} others", values.len() - LISTED));
    }
    all
}

/// A value of the schema.
fn shown(value: &Value) -> String {
    safe_line(&value.to_string(), LISTED_BYTES)
}

/// `a, b or c`
fn either(choices: &[String]) -> String {
    match choices.split_last() {
        None => "nothing".to_owned(),
        Some((last, [])) => last.clone(),
        Some((last, others)) => format!("{} or {last}", others.join(", ")),
    }
}

/// `/a/b`, as RFC 6901 has it.
fn pointer(path: &[String]) -> String {
    let parts = path.iter().map(|part| format!("/{}", part.replace('~', "~0").replace('/', "~1")));
    safe_line(&parts.collect::<String>(), POINTER_BYTES)
}
