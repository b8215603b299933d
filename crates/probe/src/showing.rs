//! Commands that show records made earlier: one as a table or a picture, several beside each other.
//!
//! They measure nothing and start nothing; what a record says is shown as it stands.

use std::collections::BTreeSet;
use std::fs::File;
use std::io::{self, Read as _};
use std::path::{Path, PathBuf};

use crate::measurement::{Measurement, SCHEMA, Tally};
use crate::outside::adapters::ADAPTERS;
use crate::report::{self, Look, NotMeasured};

/// As large as a record may be: many times as large as one of all attempts.
const RECORD_BYTES_MAX: u64 = 16 << 20;
/// As wide as a table is where nothing is known of the terminal.
const COLUMNS: usize = 80;

/// Why a record cannot be shown.
#[derive(Debug, thiserror::Error)]
pub(crate) enum ShowError {
    /// It cannot be read.
    #[error("cannot read the record {}", .path.display())]
    Read {
        path: PathBuf,
        #[source]
        source: io::Error,
    },
    /// It is no record.
    #[error("cannot understand the record {}", .path.display())]
    Form {
        path: PathBuf,
        #[source]
        source: serde_json::Error,
    },
    /// It is a record of another form.
    #[error("cannot show the record {}: its form is {form:?} and not {SCHEMA:?}", .path.display())]
    Schema { path: PathBuf, form: String },
    /// Its numbers are not those of its attempts.
    #[error("cannot show the record {}: {what}", .path.display())]
    Contradiction { path: PathBuf, what: &'static str },
    /// The words of the command were not understood.
    #[error("{0}")]
    Words(String),
}

impl ShowError {
    /// What to do about it.
    pub(crate) const fn what_to_do(&self) -> &'static str {
        match self {
            Self::Read { .. } | Self::Form { .. } | Self::Schema { .. } | Self::Contradiction { .. } => {
                "cofferdam probe --json > FILE writes one"
            }
            Self::Words(_) => "cofferdam-probe help",
        }
    }
}

/// `show FILE [--svg]`: one record as a table or as a picture.
pub(crate) fn show(words: &[&str]) -> Result<String, ShowError> {
    let wanted = Wanted::parse(words)?;
    if !wanted.missing.is_empty() || wanted.picture.is_some() {
        return Err(ShowError::Words("--missing and --picture are for compare".to_owned()));
    }
    let [path] = wanted.files.as_slice() else {
        return Err(ShowError::Words("show wants one FILE".to_owned()));
    };
    let measurement = read(path)?;
    if wanted.is_picture {
        return Ok(report::rings(&measurement));
    }
    let look = Look { colour: false, columns: Some(COLUMNS) };
    Ok(format!("{}\n", report::table(&measurement, look)))
}

/// `compare FILE... [--svg] [--picture PATH] [--missing NAME=WHY]...`: several records beside each other.
pub(crate) fn compare(words: &[&str]) -> Result<String, ShowError> {
    let wanted = Wanted::parse(words)?;
    if wanted.files.is_empty() {
        return Err(ShowError::Words("compare wants at least one FILE".to_owned()));
    }
    let measurements = wanted.files.iter().map(|path| read(path)).collect::<Result<Vec<_>, _>>()?;
    Ok(match wanted.is_picture {
        true => report::picture(&measurements),
        false => report::page(&measurements, &wanted.missing, wanted.picture.as_deref()),
    })
}

/// `adapters`: the sandboxes that are known by name, one a line: the name, how it is tried whether it starts at all, as
/// words for a shell, and how it is installed; between them a tab.
pub(crate) fn adapters() -> String {
    let quoted = |word: &&str| format!("'{}'", word.replace('\'', "'\\''"));
    let line = |trial: &[&str]| trial.iter().map(quoted).collect::<Vec<_>>().join(" ");
    ADAPTERS
        .iter()
        .map(|adapter| format!("{}\t{}\t{}\n", adapter.name, line(adapter.trial), adapter.install))
        .collect()
}

/// What the words after the command say.
#[derive(Debug, Default)]
struct Wanted {
    files: Vec<PathBuf>,
    is_picture: bool,
    picture: Option<String>,
    missing: Vec<NotMeasured>,
}

impl Wanted {
    fn parse(words: &[&str]) -> Result<Self, ShowError> {
        let mut wanted = Self::default();
        let mut words = words.iter();
        while let Some(word) = words.next() {
            let mut value = || words.next().ok_or_else(|| ShowError::Words(format!("{word} wants a value")));
            match *word {
                "--svg" => wanted.is_picture = true,
                "--picture" => wanted.picture = Some((*value()?).to_owned()),
                "--missing" => {
                    let (name, why) = value()?
                        .split_once('=')
                        .ok_or_else(|| ShowError::Words("--missing wants NAME=WHY".to_owned()))?;
                    wanted.missing.push(NotMeasured { name: name.to_owned(), why: why.to_owned() });
                }
                flag if flag.starts_with('-') => {
                    return Err(ShowError::Words(format!("there is no option {flag}")));
                }
                file => wanted.files.push(PathBuf::from(file)),
            }
        }
        Ok(wanted)
    }
}

fn read(path: &Path) -> Result<Measurement, ShowError> {
    let mut bytes = Vec::new();
    File::open(path)
        .and_then(|file| file.take(RECORD_BYTES_MAX).read_to_end(&mut bytes))
        .map_err(|source| ShowError::Read { path: path.to_owned(), source })?;
    let measurement: Measurement =
        serde_json::from_slice(&bytes).map_err(|source| ShowError::Form { path: path.to_owned(), source })?;
    if measurement.schema != SCHEMA {
        return Err(ShowError::Schema { path: path.to_owned(), form: measurement.schema });
    }
    let ids: BTreeSet<&str> = measurement.attempts.iter().map(|attempt| attempt.id.as_str()).collect();
    let wrong = if ids.len() != measurement.attempts.len() {
        Some("an attempt is in it twice")
    } else {
        (measurement.radii != Tally::all(&measurement.attempts))
            .then_some("its radii have other numbers than its attempts")
    };
    wrong.map_or(Ok(measurement), |what| Err(ShowError::Contradiction { path: path.to_owned(), what }))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::report::made_up;

    /// A record in a file of its own, gone with the value.
    struct Record(PathBuf);

    impl Record {
        fn new(name: &str, schema: &str) -> Self {
            let path = std::env::temp_dir().join(format!("record-{}-{name}.json", std::process::id()));
            let mut measurement = made_up::measurement(name, [[3, 1, 0, 0, 0]; 5]);
            measurement.schema = schema.to_owned();
            std::fs::write(&path, serde_json::to_vec(&measurement).unwrap()).unwrap();
            Self(path)
        }

        fn path(&self) -> &str {
            self.0.to_str().unwrap()
        }
    }

    impl Drop for Record {
        fn drop(&mut self) {
            drop(std::fs::remove_file(&self.0));
        }
    }

    #[test]
    fn a_record_is_shown_as_a_table_a_picture_and_a_page() {
        let record = Record::new("bwrap", SCHEMA);
        assert!(show(&[record.path()]).unwrap().contains("3 of 4 held, 1 reached"));
        assert!(show(&["--svg", record.path()]).unwrap().starts_with("<svg "));
        let page = compare(&[record.path(), "--picture", "a.svg", "--missing", "docker=no engine"]).unwrap();
        assert!(page.contains("(a.svg)") && page.contains("- **docker**: no engine."), "{page}");
        assert!(compare(&[record.path(), record.path(), "--svg"]).unwrap().starts_with("<svg "));
    }

    #[test]
    fn a_record_of_another_form_is_not_shown() {
        let record = Record::new("newer", "cofferdam.probe/2");
        assert!(matches!(show(&[record.path()]), Err(ShowError::Schema { .. })));
        std::fs::write(&record.0, b"{}").unwrap();
        assert!(matches!(show(&[record.path()]), Err(ShowError::Form { .. })));
        assert!(matches!(show(&["/no/such/file"]), Err(ShowError::Read { .. })));
    }

    #[test]
    fn words_that_are_not_understood_are_refused() {
        for words in [&[][..], &["a", "b"], &["a", "--picture", "b"], &["a", "--x"], &["a", "--missing", "b"]]
        {
            assert!(matches!(show(words), Err(ShowError::Words(_))), "{words:?}");
        }
        assert!(matches!(compare(&["--svg"]), Err(ShowError::Words(_))));
    }

    #[test]
    fn each_adapter_is_a_line_of_three_parts() {
        assert!(adapters().lines().all(|line| line.split('\t').count() == 3));
        assert_eq!(adapters().lines().count(), ADAPTERS.len());
    }
}
