//! What a program says of itself: its entries, their items and their parameters. The dashboard makes
//! a form of it, the command line makes help of it, and the coordinator checks parameters against it.
use serde::{Deserialize, Serialize};
use serde_json::{Map, Value};

/// What a program says of itself.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
#[cfg_attr(feature = "openapi", derive(utoipa::ToSchema))]
pub struct Description {
    /// Its name for people.
    pub name: String,
    /// Its version.
    pub version: String,
    /// In which of the three forms it was brought.
    #[serde(default)]
    pub kind: ProgramKind,
    /// What it can be asked to do.
    pub entries: Vec<Entry>,
    /// What admission found in its module; nothing for scripts.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub module: Option<ModuleReport>,
}

/// What admission found in a module, and what it did to it.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
#[cfg_attr(feature = "openapi", derive(utoipa::ToSchema))]
pub struct ModuleReport {
    /// Bytes of memory that it begins with.
    pub memory_bytes_min: u64,
    /// Bytes that its memory can grow to; a job may set less.
    pub memory_bytes_max: u64,
    /// The parts of WebAssembly beyond the first version that it uses.
    pub features: Vec<String>,
    /// What was done so that it computes the same everywhere: one sentence each.
    pub notes: Vec<String>,
}

/// The form in which a program was brought; after admission all three run alike.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
#[cfg_attr(feature = "openapi", derive(utoipa::ToSchema))]
pub enum ProgramKind {
    /// A module with entry functions of the kernel ABI.
    #[default]
    Kernel,
    /// A WASI program: standard input to standard output.
    Command,
    /// A JavaScript module, evaluated by the script engine.
    Script,
}

/// One entry function.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
#[cfg_attr(feature = "openapi", derive(utoipa::ToSchema))]
pub struct Entry {
    /// The export's name.
    pub name: String,
    /// A title for people.
    #[serde(default)]
    pub title: String,
    /// One sentence.
    #[serde(default)]
    pub about: String,
    /// What an item is; absent when the program does not say.
    #[serde(default)]
    pub item: Option<Field>,
    /// Parameters; absent when the program does not say, and then anything is passed on.
    #[serde(default)]
    pub params: Option<Vec<Field>>,
    /// What an item's output is.
    #[serde(default)]
    pub output: OutputKind,
    /// How the outputs make a picture, when they do.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub picture: Option<Picture>,
}

/// A parameter, or an item.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
#[cfg_attr(feature = "openapi", derive(utoipa::ToSchema))]
pub struct Field {
    /// Its name; empty for an item.
    #[serde(default)]
    pub name: String,
    /// What it holds.
    #[serde(rename = "type")]
    pub kind: FieldKind,
    /// One sentence.
    #[serde(default)]
    pub about: String,
    /// Taken when it is left out.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[cfg_attr(feature = "openapi", schema(value_type = Option<Object>))]
    pub default: Option<Value>,
    /// Least number.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub min: Option<f64>,
    /// Greatest number.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub max: Option<f64>,
    /// Whether it must be given.
    #[serde(default)]
    pub required: bool,
    /// The words to choose from.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub choices: Vec<String>,
}

/// What a field holds.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
#[cfg_attr(feature = "openapi", derive(utoipa::ToSchema))]
pub enum FieldKind {
    /// A whole number.
    Integer,
    /// A number.
    Number,
    /// True or false.
    Boolean,
    /// Text.
    Text,
    /// One of the `choices`.
    Choice,
    /// Any JSON.
    #[default]
    Json,
}

/// What an item's output is.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
#[cfg_attr(feature = "openapi", derive(utoipa::ToSchema))]
pub enum OutputKind {
    /// One JSON value.
    #[default]
    Json,
    /// Bytes.
    Bytes,
}

/// How outputs make a picture.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
#[cfg_attr(feature = "openapi", derive(utoipa::ToSchema))]
pub enum Picture {
    /// Item `k` is tile `k`, row by row, of a picture of `width` x `height` pixels in tiles of side
    /// `tile` (all three are parameters); every pixel is a little-endian u16 from 0 to `iterations_max`.
    Tiles,
}

/// A parameter that does not fit.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize, thiserror::Error)]
#[error("{field}: {problem}")]
#[cfg_attr(feature = "openapi", derive(utoipa::ToSchema))]
pub struct ParamProblem {
    /// Which one.
    pub field: String,
    /// What is wrong, and what would be right.
    pub problem: String,
}

impl Entry {
    /// Checks parameters and fills in the defaults; tells every problem, not only the first.
    pub fn check_params(&self, params: &Value) -> Result<Value, Vec<ParamProblem>> {
        let Some(fields) = &self.params else {
            return Ok(params.clone());
        };
        let empty = Map::new();
        let given = match params {
            Value::Null => &empty,
            Value::Object(given) => given,
            other => {
                return Err(vec![problem(
                    "params",
                    format!("must be an object, not {}", word(other)),
                )]);
            }
        };
        let mut problems = unknown_fields(fields, given);
        let mut complete = Map::new();
        for field in fields {
            match field.take(given) {
                Ok(Some(value)) => drop(complete.insert(field.name.clone(), value)),
                Ok(None) => {}
                Err(wrong) => problems.push(problem(&field.name, wrong)),
            }
        }
        if problems.is_empty() {
            Ok(Value::Object(complete))
        } else {
            Err(problems)
        }
    }
}

fn problem(field: &str, problem: String) -> ParamProblem {
    ParamProblem {
        field: field.into(),
        problem,
    }
}

fn unknown_fields(fields: &[Field], given: &Map<String, Value>) -> Vec<ParamProblem> {
    let known = || fields.iter().map(|f| f.name.as_str());
    let unknown = given.keys().filter(|name| !known().any(|k| k == *name));
    unknown
        .map(|name| problem(name, unknown_name(name, known())))
        .collect()
}

fn unknown_name<'a>(name: &str, known: impl Iterator<Item = &'a str> + Clone) -> String {
    match nearest(name, known.clone()) {
        Some(near) => format!("is not a parameter; did you mean '{near}'?"),
        None => format!(
            "is not a parameter; there are {}",
            known.collect::<Vec<_>>().join(", ")
        ),
    }
}

impl Field {
    fn take(&self, given: &Map<String, Value>) -> Result<Option<Value>, String> {
        match given.get(&self.name) {
            None if self.required => Err(format!("is missing: {}", self.wanted())),
            None => Ok(self.default.clone()),
            Some(value) => self.check(value).map(|()| Some(value.clone())),
        }
    }

    /// Whether a value fits; the error says what would.
    pub fn check(&self, value: &Value) -> Result<(), String> {
        let fits = match self.kind {
            FieldKind::Integer => value.is_i64() || value.is_u64(),
            FieldKind::Number => value.is_number(),
            FieldKind::Boolean => value.is_boolean(),
            FieldKind::Text => value.is_string(),
            FieldKind::Choice => value
                .as_str()
                .is_some_and(|v| self.choices.iter().any(|c| c == v)),
            FieldKind::Json => true,
        };
        let in_range = value
            .as_f64()
            .is_none_or(|n| self.min.is_none_or(|min| n >= min) && self.max.is_none_or(|max| n <= max));
        if fits && in_range {
            Ok(())
        } else {
            Err(format!("must be {}, not {}", self.wanted(), word(value)))
        }
    }

    /// What fits, in words: `a whole number from 1 to 65536`.
    pub fn wanted(&self) -> String {
        let kind = match self.kind {
            FieldKind::Integer => "a whole number".into(),
            FieldKind::Number => "a number".into(),
            FieldKind::Boolean => "true or false".into(),
            FieldKind::Text => "text".into(),
            FieldKind::Choice => format!("one of {}", self.choices.join(", ")),
            FieldKind::Json => "a JSON value".into(),
        };
        match (self.min, self.max) {
            (Some(min), Some(max)) => format!("{kind} from {min} to {max}"),
            (Some(min), None) => format!("{kind} of at least {min}"),
            (None, Some(max)) => format!("{kind} of at most {max}"),
            (None, None) => kind,
        }
    }
}

fn word(value: &Value) -> String {
    match value {
        Value::Object(_) => "an object".into(),
        Value::Array(_) => "a list".into(),
        Value::String(text) if text.chars().count() > 40 => "a longer text".into(),
        other => other.to_string(),
    }
}

/// The known name that is at most two slips of the finger away from `name`.
pub fn nearest<'a>(name: &str, known: impl Iterator<Item = &'a str>) -> Option<&'a str> {
    let near = known
        .map(|k| (slips(name, k), k))
        .min_by_key(|(slips, _)| *slips)?;
    (near.0 <= 2).then_some(near.1)
}

/// Levenshtein's distance (1966): single letters added, dropped or changed.
fn slips(a: &str, b: &str) -> usize {
    let b: Vec<char> = b.chars().collect();
    let mut row: Vec<usize> = (0..=b.len()).collect();
    for (i, x) in a.chars().enumerate() {
        let mut diagonal = std::mem::replace(&mut row[0], i + 1);
        for (j, y) in b.iter().enumerate() {
            let changed = diagonal + usize::from(x != *y);
            diagonal = row[j + 1];
            row[j + 1] = changed.min(row[j] + 1).min(row[j + 1] + 1);
        }
    }
    row[b.len()]
}

#[cfg(test)]
mod tests {
    use super::*;
    use serde_json::json;

    fn entry() -> Entry {
        let fields = json!([
            {"name": "width", "type": "integer", "default": 1024, "min": 1, "max": 4096},
            {"name": "kind", "type": "choice", "choices": ["call", "put"], "required": true},
        ]);
        Entry {
            params: serde_json::from_value(fields).unwrap(),
            ..Entry::default()
        }
    }

    #[test]
    fn defaults_are_filled_in() {
        let params = entry().check_params(&json!({"kind": "put"})).unwrap();
        assert_eq!(params, json!({"width": 1024, "kind": "put"}));
    }

    #[test]
    fn every_problem_is_told_with_what_would_be_right() {
        let problems = entry()
            .check_params(&json!({"widht": 3, "width": 0}))
            .unwrap_err();
        let told: Vec<_> = problems.iter().map(ToString::to_string).collect();
        assert_eq!(
            told,
            [
                "widht: is not a parameter; did you mean 'width'?",
                "width: must be a whole number from 1 to 4096, not 0",
                "kind: is missing: one of call, put",
            ]
        );
        let wrong = entry().check_params(&json!([1])).unwrap_err();
        assert_eq!(wrong[0].to_string(), "params: must be an object, not a list");
    }
}
