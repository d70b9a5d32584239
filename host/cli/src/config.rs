//! The configuration of a component, as a command line gives it.

use std::str::FromStr;

use airlock_pipeline::config_help;
use airlock_sandbox::Component;
use clap::Args;

use crate::error::{self, Error};

/// A configuration.
#[derive(Debug, Args)]
pub struct ConfigArgument {
    /// The configuration of the component, a JSON object
    #[arg(long, value_name = "JSON", default_value = "{}", hide_default_value = true)]
    config: JsonObject,
}

#[derive(Clone, Debug)]
struct JsonObject(serde_json::Value);

impl FromStr for JsonObject {
    type Err = String;

    fn from_str(text: &str) -> Result<Self, String> {
        match serde_json::from_str(text) {
            Ok(object @ serde_json::Value::Object(_)) => Ok(Self(object)),
            Ok(_) => Err("it is not a JSON object, such as {\"extension\": \"csv\"}".to_owned()),
            Err(error) => Err(error.to_string()),
        }
    }
}

impl ConfigArgument {
    /// The configuration.
    pub fn value(&self) -> &serde_json::Value {
        &self.config.0
    }

    /// Checks the configuration as the definitions have theirs checked.
    pub fn check(&self, component: &Component) -> Result<(), Error> {
        let Some(manifest) = &component.inspection().manifest else { return Ok(()) };
        let name = component.name();
        let refused = |mistake: &str| Error::usage(format!("`--config` does not fit {name}: {mistake}"));
        let is_empty = self.config.0.as_object().is_some_and(serde_json::Map::is_empty);
        let mistakes = match &manifest.config {
            None if is_empty => return Ok(()),
            None => return Err(refused("it takes none").hint("leave `--config` out").into()),
            Some(schema) => schema.check(&self.config.0, &[]),
        };
        let Some((first, others)) = mistakes.split_first() else { return Ok(()) };
        let report =
            others.iter().fold(refused(&first.message), |report, mistake| report.note(mistake.message.as_str()));
        let report = mistakes.iter().filter_map(config_help).fold(report, error::Report::hint);
        Err(report.hint(format!("`airlock inspect {name}` shows what it may hold")).into())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_configuration_is_an_object() {
        assert!("{\"extension\": \"csv\"}".parse::<JsonObject>().is_ok());
        for wrong in ["", "1", "[]", "{"] {
            assert!(wrong.parse::<JsonObject>().is_err(), "{wrong}");
        }
    }
}
