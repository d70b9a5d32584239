//! `airlock call`: calls one function of one component, without definitions.

use std::io::{self, IsTerminal, Read};

use airlock_pipeline::audit::{self, AuditLog, AuditedCall};
use airlock_pipeline::definitions::is_media_type;
use airlock_pipeline::run::VALUE_MEMORY;
use airlock_sandbox::context::{AssetEvent, InputContext, MetadataEntry, OutputContext};
use airlock_sandbox::grant::Grant;
use airlock_sandbox::limits::CHUNK;
use airlock_sandbox::report::{Failure, Log, Receipt, Report};
use airlock_sandbox::value::{Budget, Content, ContentWriter, Value};
use airlock_sandbox::{Component, Durability, Interrupt};
use clap::{Args, ValueEnum};
use serde::Serialize;

use super::call_subject::SubjectArguments;
use crate::arguments::{AuditArgument, FormatArgument, IsolateArgument};
use crate::builtin::ComponentName;
use crate::config::ConfigArgument;
use crate::error::{self, Error, ExitStatus};
use crate::export::ExportArgument;
use crate::lend::LendArguments;
use crate::output::{Format, Output, json, tell};
use crate::render::{Fields, metadata, size, time, word};
use crate::{failure, interrupt, places};

const HELP: &str = "\
It needs no definitions: the options say what the component is told and lent.
The value is read from standard input or written to standard output.

Examples:
  airlock call files.wasm handle-output --asset a/b \\
      --mount ./data::/data:write < value
  airlock call files.wasm load-input --asset a/b --mount ./data::/data > value
  airlock call files.wasm handle-output --asset a/b --media-type text/csv \\
      --mount ./data::/data:write --limit memory=16MiB --strict < value.csv
  airlock call files.wasm handle-output --step list.files --mapping-key fox \\
      --mount ./data::/data:write < fox";

/// Call one function of one component
#[derive(Debug, Args)]
#[command(after_help = HELP)]
pub struct Call {
    /// A component: a file, or `builtin:files`
    component: ComponentName,
    /// What to call: handle-output stores a value, load-input loads one
    #[arg(value_enum, hide_possible_values = true)]
    function: Function,
    /// The media type of the value that is stored, or that is asked for
    #[arg(long, value_name = "TYPE", value_parser = media_type)]
    media_type: Option<String>,
    #[command(flatten)]
    config: ConfigArgument,
    /// Fail where the component tried anything that it is not lent
    #[arg(long)]
    strict: bool,
    #[command(flatten)]
    isolate: IsolateArgument,
    #[command(flatten)]
    audit: AuditArgument,
    #[command(flatten)]
    export: ExportArgument,
    #[command(flatten)]
    format: FormatArgument,
    #[command(flatten)]
    subject: SubjectArguments,
    #[command(flatten)]
    lend: LendArguments,
}

/// What can be called.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, ValueEnum)]
#[serde(rename_all = "kebab-case")]
enum Function {
    HandleOutput,
    LoadInput,
}

fn media_type(text: &str) -> Result<String, String> {
    if is_media_type(text) { Ok(text.to_owned()) } else { Err("write TYPE/SUBTYPE, such as text/csv".to_owned()) }
}

/// What is told of a call.
#[derive(Serialize)]
struct Told<'a> {
    function: Function,
    component: String,
    digest: &'a str,
    /// The asset or the output of a step.
    name: String,
    /// The asset, where it is one.
    asset: Option<String>,
    failure: Option<&'a Failure>,
    metadata: &'a [MetadataEntry],
    events: &'a [AssetEvent],
    data_version: Option<&'a str>,
    receipt: &'a Receipt,
    log: &'a Log,
}

/// What every call is made with.
struct Prepared {
    component: Component,
    sandbox: airlock_sandbox::Sandbox,
    grant: Grant,
    audit: Option<AuditLog>,
    budget: Budget,
    interrupt: Interrupt,
}

impl Call {
    /// Does it.
    pub fn execute(self) -> Result<ExitStatus, Error> {
        if self.function == Function::HandleOutput && self.export.output.is_some() {
            return Err(Error::usage(
                "handle-output takes a value and gives none, so there is nothing for `-o` to write",
            )
            .hint("give the value on standard input: `< FILE`")
            .into());
        }
        let grant = self.lend.grant()?;
        let audit = self.audit.open()?;
        if let Some(refused) = audit.as_ref().and_then(|audit| audit.refuse_any(&grant)) {
            return Err(Error::usage(refused).into());
        }
        let name = self.component.to_string();
        let sandbox = places::sandbox(self.isolate, Durability::Full)?;
        let component =
            sandbox.load_bytes(&name, &self.component.read()?).map_err(|error| Error::component(&name, &error))?;
        self.config.check(&component)?;
        let budget = Budget::new(VALUE_MEMORY, std::env::temp_dir());
        let value = match self.function {
            Function::HandleOutput => Some(self.read_value(&budget)?),
            Function::LoadInput => None,
        };
        // Only now, so that Ctrl-C ends the program while it waits for a value.
        let interrupt = interrupt::on_signal()?;
        let prepared = Prepared { component, sandbox, grant, audit, budget, interrupt };
        match value {
            Some(value) => self.store(&prepared, &value),
            None => self.load(&prepared),
        }
    }

    fn store(&self, prepared: &Prepared, value: &Value) -> Result<ExitStatus, Error> {
        let stored = self.subject.stored();
        let context = OutputContext {
            run_id: stored.run_id.unwrap_or_else(|| "call".to_owned()),
            step_key: stored.step_key.unwrap_or_else(|| self.subject.name()),
            attempt: 1,
            output_name: stored.output_name,
            asset_key: self.subject.asset_key(),
            location: self.subject.location(),
            partitions: self.subject.partitions(),
            config: self.config.value().clone(),
            output_config: serde_json::Value::Null,
            definition_metadata: Vec::new(),
            runtime_metadata: Vec::new(),
        };
        let call = || prepared.sandbox.handle_output(&prepared.call(self.strict), context, value);
        let report = prepared.audited(audit::Function::HandleOutput, call);
        let mut told = self.told(prepared, &report);
        if let Ok(stored) = &report.outcome {
            told.metadata = &stored.metadata;
            told.events = &stored.events;
            told.data_version = stored.data_version.as_deref();
        }
        self.tell(&told, true)?;
        self.judge(prepared, report).map(|_| ExitStatus::Done)
    }

    fn load(&self, prepared: &Prepared) -> Result<ExitStatus, Error> {
        let context = InputContext {
            run_id: None,
            step_key: None,
            input_name: None,
            asset_key: self.subject.asset_key(),
            location: self.subject.location(),
            partitions: self.subject.partitions(),
            upstream: vec![self.subject.stored()],
            requested_type: self.media_type.clone(),
            columns: Vec::new(),
            allow_missing: false,
            config: self.config.value().clone(),
            input_config: serde_json::Value::Null,
            definition_metadata: Vec::new(),
        };
        let call = || prepared.sandbox.load_input(&prepared.call(self.strict), context);
        let report = prepared.audited(audit::Function::LoadInput, call);
        let mut told = self.told(prepared, &report);
        if let Ok(loaded) = &report.outcome {
            told.metadata = &loaded.metadata;
            told.events = &loaded.events;
        }
        self.tell(&told, self.export.output.is_some())?;
        let loaded = self.judge(prepared, report)?;
        self.export.write(&self.subject.name(), &loaded.value)?;
        Ok(ExitStatus::Done)
    }

    fn read_value(&self, budget: &Budget) -> Result<Value, Error> {
        let mut input = io::stdin().lock();
        if input.is_terminal() {
            tell("reading the value from the terminal; Ctrl-D ends it");
        }
        let content = read_all(&mut input, budget).map_err(|error| {
            error::Report::new(ExitStatus::Storage, format!("cannot read the value from standard input: {error}"))
        })?;
        let media_type = self.media_type.clone().unwrap_or_else(|| "application/octet-stream".to_owned());
        Ok(Value::single(media_type, content))
    }

    fn told<'a, T>(&self, prepared: &'a Prepared, report: &'a Report<T>) -> Told<'a> {
        Told {
            function: self.function,
            component: self.component.to_string(),
            digest: prepared.component.digest(),
            name: self.subject.name(),
            asset: self.subject.asset_key().map(|key| key.join("/")),
            failure: report.outcome.as_ref().err(),
            metadata: &[],
            events: &[],
            data_version: None,
            receipt: &report.receipt,
            log: &report.log,
        }
    }

    /// Tells of the call: on standard output, unless that is where the value goes.
    fn tell(&self, told: &Told<'_>, on_output: bool) -> Result<(), Error> {
        if self.format.format == Format::Human {
            failure::tell_log(told.log);
            if told.failure.is_some() {
                return Ok(());
            }
            failure::tell_denials(told.receipt);
            if !on_output {
                tell(fields(told).render(crate::output::stderr_width()).trim_end());
                return Ok(());
            }
        } else if !on_output {
            tell(json(told)?);
            return Ok(());
        }
        let mut output = Output::new();
        match self.format.format {
            Format::Human => fields(told).print(&mut output)?,
            Format::Json => output.json("call", told)?,
            Format::Jsonl => output.json_line(told)?,
        }
        output.finish()
    }

    fn judge<T>(&self, prepared: &Prepared, report: Report<T>) -> Result<T, Error> {
        report.outcome.map_err(|failed| {
            let stores = self.function == Function::HandleOutput;
            let places = self.subject.partitions().locations(&self.subject.location());
            let manifest = prepared.component.inspection().manifest.as_ref();
            let asks = manifest.map_or(&[][..], |manifest| &manifest.mounts);
            let remedies = self.lend.remedies(&report.receipt.denials, asks, (&places, stores));
            failure::call(&self.component.to_string(), &word(&self.function), &failed, &report.receipt, remedies).into()
        })
    }
}

impl Prepared {
    /// Makes the call, and tells of it in the audit log.
    fn audited<T>(&self, function: audit::Function, call: impl FnOnce() -> Report<T>) -> Report<T> {
        let Some(log) = &self.audit else { return call() };
        let (guest, digest, grant) = (self.component.name(), self.component.digest(), &self.grant);
        log.told(&AuditedCall { run: None, step: None, guest, digest, function, grant }, call)
    }

    fn call(&self, strict: bool) -> airlock_sandbox::Call<'_> {
        airlock_sandbox::Call {
            component: &self.component,
            grant: &self.grant,
            budget: &self.budget,
            interrupt: &self.interrupt,
            strict,
            deterministic: None,
        }
    }
}

fn read_all(input: &mut impl Read, budget: &Budget) -> io::Result<Content> {
    let mut writer = ContentWriter::new(budget.clone());
    let mut chunk = vec![0; CHUNK];
    loop {
        match input.read(&mut chunk) {
            Ok(0) => return Ok(writer.finish()),
            Ok(read) => writer.append(chunk.get(..read).unwrap_or_default())?,
            Err(error) if error.kind() == io::ErrorKind::Interrupted => {}
            Err(error) => return Err(error),
        }
    }
}

fn fields(told: &Told<'_>) -> Fields {
    let mut fields = Fields::default();
    let receipt = told.receipt;
    let done = if told.function == Function::HandleOutput { "stored" } else { "loaded" };
    fields.add(done, format!("{} with {}", told.name, told.component));
    let files = |files: &airlock_sandbox::report::Transfers| {
        let listed = files.files.iter().map(|file| format!("{} {}", file.path, size(file.bytes)));
        let unlisted = (files.unlisted > 0).then(|| format!("{} more", files.unlisted));
        listed.chain(unlisted).collect::<Vec<_>>()
    };
    fields.add_all("read", files(&receipt.read));
    fields.add_all("wrote", files(&receipt.written));
    fields.add_all("removed", receipt.removed.iter().cloned());
    fields.add_all("metadata", metadata(told.metadata));
    fields.add_some("version", told.data_version);
    fields.add("took", format!("{}, {} of memory", time(receipt.time), size(receipt.peak_memory)));
    fields
}

#[cfg(test)]
mod tests {
    use clap::Parser;

    use super::*;
    use crate::arguments::{Arguments, Verb};

    #[test]
    fn a_file_for_the_value_is_refused_where_a_value_is_stored() {
        let line = ["airlock", "call", "builtin:files", "handle-output", "--asset", "a", "-o", "value"];
        let Verb::Call(call) = Arguments::try_parse_from(line).unwrap().verb else { panic!("another verb") };
        let Err(Error::Told(report)) = call.execute() else { panic!("it was taken") };
        assert_eq!(report.status(), ExitStatus::Usage);
        assert!(report.message().contains("nothing for `-o` to write"), "{report:?}");
    }

    #[test]
    fn a_media_type_is_what_the_definitions_take_for_one() {
        assert_eq!(media_type("text/csv"), Ok("text/csv".to_owned()));
        for wrong in ["", "csv", "a\u{1b}[31m/b"] {
            assert!(media_type(wrong).is_err(), "{wrong:?}");
        }
    }
}
