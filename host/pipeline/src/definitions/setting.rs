//! Values that may name the environment, which is looked up when a run starts and never shown.

use std::collections::BTreeMap;
use std::ffi::OsString;

use serde::{Serialize, Serializer};
use serde_json::Value;

use super::Position;

/// A value of the definitions, in which the environment may be named wherever a scalar may stand.
#[derive(Clone, Debug, PartialEq)]
pub enum Setting {
    /// True or false.
    Boolean(bool),
    /// An integer.
    Integer(i64),
    /// A number.
    Float(f64),
    /// Text; also dates and times, as they are written.
    Text(String),
    /// Several, in order.
    List(Vec<Setting>),
    /// Several by name.
    Table(BTreeMap<String, Setting>),
    /// What the environment has.
    Environment(EnvironmentReference),
}

/// `{ "$env" = "NAME", default = …, as = "int" }`
#[derive(Clone, Debug, PartialEq)]
pub struct EnvironmentReference {
    /// The variable.
    pub name: String,
    /// What to take where it is not set.
    pub default: Option<Box<Setting>>,
    /// What its text is read as.
    pub setting_type: SettingType,
    /// Where it is named.
    pub position: Position,
}

/// What the text of an environment variable is read as.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize)]
#[serde(rename_all = "kebab-case")]
pub enum SettingType {
    /// Text, as it is.
    #[default]
    Text,
    /// An integer.
    Int,
    /// A number.
    Float,
    /// `true` or `false`.
    Bool,
}

impl SettingType {
    /// A value of it, which is an integer where it is a number.
    fn example(self) -> Value {
        match self {
            Self::Text => Value::from(""),
            Self::Int => Value::from(0),
            Self::Float => Value::from(0.0),
            Self::Bool => Value::from(false),
        }
    }
}

/// An environment reference that has no value, or one of the wrong kind. It never shows the value.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("{}{reason}", position.as_ref().map(|position| format!("{position}: ")).unwrap_or_default())]
pub struct UnresolvedSetting {
    /// The variable.
    pub name: String,
    /// Where it is named.
    pub position: Option<Position>,
    /// In words, naming the variable.
    pub reason: String,
}

impl From<UnresolvedSetting> for super::Diagnostic {
    fn from(unresolved: UnresolvedSetting) -> Self {
        Self { position: unresolved.position, message: unresolved.reason, help: None }
    }
}

/// The environment that settings are looked up in. It is not shown by `Debug`.
#[derive(Clone, Default)]
pub struct Environment(BTreeMap<OsString, OsString>);

impl Environment {
    /// That of this process.
    pub fn of_process() -> Self {
        Self(std::env::vars_os().collect())
    }
}

impl<K: Into<OsString>, V: Into<OsString>> FromIterator<(K, V)> for Environment {
    fn from_iter<I: IntoIterator<Item = (K, V)>>(entries: I) -> Self {
        Self(entries.into_iter().map(|(name, value)| (name.into(), value.into())).collect())
    }
}

impl std::fmt::Debug for Environment {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_tuple("Environment").field(&self.0.len()).finish()
    }
}

impl Setting {
    /// The value, with what `environment` has in the place of references.
    ///
    /// # Errors
    /// [`UnresolvedSetting`] for the first reference that is not set and has no default, or whose text is not what
    /// `as` says.
    pub fn resolve(&self, environment: &Environment) -> Result<Value, UnresolvedSetting> {
        Ok(match self {
            Setting::Boolean(value) => Value::from(*value),
            Setting::Integer(value) => Value::from(*value),
            Setting::Float(value) => Value::from(*value),
            Setting::Text(value) => Value::from(value.as_str()),
            Setting::List(values) => {
                Value::Array(values.iter().map(|value| value.resolve(environment)).collect::<Result<_, _>>()?)
            }
            Setting::Table(values) => {
                let resolve = |(name, value): (&String, &Setting)| Ok((name.clone(), value.resolve(environment)?));
                Value::Object(values.iter().map(resolve).collect::<Result<_, _>>()?)
            }
            Setting::Environment(reference) => reference.resolve(environment)?,
        })
    }

    /// The value with something of the type that is said in the place of each reference to the environment, and the paths of
    /// these.
    pub(crate) fn outline(&self) -> (Value, Vec<Vec<String>>) {
        fn visit(setting: &Setting, path: &mut Vec<String>, references: &mut Vec<Vec<String>>) -> Value {
            let mut inner = |part: String, setting: &Setting| {
                path.push(part);
                let value = visit(setting, path, references);
                path.pop();
                value
            };
            match setting {
                Setting::Boolean(value) => Value::from(*value),
                Setting::Integer(value) => Value::from(*value),
                Setting::Float(value) => Value::from(*value),
                Setting::Text(value) => Value::from(value.as_str()),
                Setting::List(values) => {
                    values.iter().enumerate().map(|(place, value)| inner(place.to_string(), value)).collect()
                }
                Setting::Table(values) => {
                    values.iter().map(|(name, value)| (name.clone(), inner(name.clone(), value))).collect()
                }
                Setting::Environment(reference) => {
                    references.push(path.clone());
                    reference.setting_type.example()
                }
            }
        }
        let mut references = Vec::new();
        let value = visit(self, &mut Vec::new(), &mut references);
        (value, references)
    }

    /// Adds the references to the environment at any depth to `found`.
    pub(crate) fn references<'a>(&'a self, found: &mut Vec<&'a EnvironmentReference>) {
        match self {
            Setting::Environment(reference) => found.push(reference),
            Setting::List(values) => values.iter().for_each(|value| value.references(found)),
            Setting::Table(values) => values.values().for_each(|value| value.references(found)),
            Setting::Boolean(_) | Setting::Integer(_) | Setting::Float(_) | Setting::Text(_) => {}
        }
    }

    /// The text of a setting that is one.
    ///
    /// # Errors
    /// As [`resolve`](Self::resolve).
    pub fn resolve_text(&self, environment: &Environment) -> Result<String, UnresolvedSetting> {
        match self.resolve(environment)? {
            Value::String(text) => Ok(text),
            other => Ok(other.to_string()),
        }
    }

    /// The text, or `$NAME` in the place of what the environment has.
    pub fn shown(&self) -> String {
        match self {
            Setting::Text(text) => text.clone(),
            Setting::Environment(reference) => format!("${}", reference.name),
            other => serde_json::to_string(other).unwrap_or_default(),
        }
    }
}

impl EnvironmentReference {
    fn resolve(&self, environment: &Environment) -> Result<Value, UnresolvedSetting> {
        let Some(value) = environment.0.get(std::ffi::OsStr::new(&self.name)) else {
            let unset = || self.unresolved("is not set");
            return self.default.as_ref().ok_or_else(unset)?.resolve(environment);
        };
        let Some(text) = value.to_str() else { return Err(self.unresolved("is not UTF-8")) };
        match self.setting_type {
            SettingType::Text => Ok(Value::from(text)),
            SettingType::Int => {
                text.parse::<i64>().map(Value::from).map_err(|_| self.unresolved("is not an integer, as `as` says"))
            }
            SettingType::Float => match text.parse::<f64>() {
                Ok(number) if number.is_finite() => Ok(Value::from(number)),
                _ => Err(self.unresolved("is not a number, as `as` says")),
            },
            SettingType::Bool => text
                .parse::<bool>()
                .map(Value::from)
                .map_err(|_| self.unresolved("is not `true` or `false`, as `as` says")),
        }
    }

    /// That the variable cannot be taken, for the reason `why`.
    pub(crate) fn unresolved(&self, why: &str) -> UnresolvedSetting {
        let reason = format!("the environment variable {} {why}", self.name);
        UnresolvedSetting { name: self.name.clone(), position: Some(self.position.clone()), reason }
    }
}

/// As it is written: references to the environment stay references.
impl Serialize for Setting {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        match self {
            Setting::Boolean(value) => value.serialize(serializer),
            Setting::Integer(value) => value.serialize(serializer),
            Setting::Float(value) => value.serialize(serializer),
            Setting::Text(value) => value.serialize(serializer),
            Setting::List(values) => values.serialize(serializer),
            Setting::Table(values) => values.serialize(serializer),
            Setting::Environment(reference) => reference.serialize(serializer),
        }
    }
}

/// As it is written.
impl Serialize for EnvironmentReference {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        #[derive(Serialize)]
        struct Written<'a> {
            #[serde(rename = "$env")]
            name: &'a str,
            #[serde(skip_serializing_if = "Option::is_none")]
            default: Option<&'a Setting>,
            #[serde(rename = "as")]
            setting_type: SettingType,
        }
        Written { name: &self.name, default: self.default.as_deref(), setting_type: self.setting_type }
            .serialize(serializer)
    }
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;
    use crate::definitions::SourceFile;

    fn reference(name: &str, setting_type: SettingType, default: Option<Setting>) -> Setting {
        let (name, default) = (name.to_owned(), default.map(Box::new));
        let source = SourceFile::new("airlock.toml".into(), "x\ny = {}".to_owned());
        let position = Position { source: source.into(), start: 6, end: 8 };
        Setting::Environment(EnvironmentReference { name, default, setting_type, position })
    }

    #[test]
    fn references_are_looked_up_at_any_depth() {
        let environment = Environment::from_iter([("BUCKET", "lake"), ("LEVEL", "3"), ("FAST", "true")]);
        let inner = [
            ("bucket".to_owned(), reference("BUCKET", SettingType::Text, None)),
            ("level".to_owned(), reference("LEVEL", SettingType::Int, None)),
            ("ratio".to_owned(), reference("LEVEL", SettingType::Float, None)),
            ("fast".to_owned(), reference("FAST", SettingType::Bool, None)),
            ("region".to_owned(), reference("REGION", SettingType::Text, Some(Setting::Text("eu".to_owned())))),
        ];
        let setting = Setting::List(vec![Setting::Table(inner.into())]);
        let expected = json!([{ "bucket": "lake", "fast": true, "level": 3, "ratio": 3.0, "region": "eu" }]);
        assert_eq!(setting.resolve(&environment).unwrap(), expected);
    }

    #[test]
    fn without_an_environment_the_types_of_references_are_known_and_their_places() {
        let inner = [
            ("bucket".to_owned(), reference("BUCKET", SettingType::Text, None)),
            ("level".to_owned(), Setting::Integer(3)),
            ("fast".to_owned(), reference("FAST", SettingType::Bool, Some(Setting::Boolean(true)))),
        ];
        let setting = Setting::List(vec![Setting::Table(inner.into()), reference("RATIO", SettingType::Float, None)]);
        let (value, references) = setting.outline();
        assert_eq!(value, json!([{ "bucket": "", "fast": false, "level": 3 }, 0.0]));
        assert_eq!(references, [&["0", "bucket"][..], &["0", "fast"], &["1"]]);
    }

    #[test]
    fn an_error_names_the_variable_and_never_its_value() {
        let environment = Environment::from_iter([("TOKEN", "s3cret")]);
        let unset = reference("NO_SUCH", SettingType::Text, None).resolve(&environment).unwrap_err();
        assert_eq!(unset.to_string(), "airlock.toml:2:5: the environment variable NO_SUCH is not set");
        let wrong = reference("TOKEN", SettingType::Int, None).resolve(&environment).unwrap_err();
        assert_eq!(
            wrong.to_string(),
            "airlock.toml:2:5: the environment variable TOKEN is not an integer, as `as` says"
        );
        assert!(!format!("{wrong:?}{environment:?}").contains("s3cret"));
    }

    #[test]
    fn what_is_written_holds_the_reference_and_not_the_value() {
        let setting = Setting::Table([("token".to_owned(), reference("TOKEN", SettingType::Text, None))].into());
        let written = serde_json::to_value(&setting).unwrap();
        assert_eq!(written, json!({ "token": { "$env": "TOKEN", "as": "text" } }));
    }
}
