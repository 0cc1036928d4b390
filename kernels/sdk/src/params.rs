//! From a job's parameters to the struct a kernel asked for, with errors that name the field.
use serde::de::DeserializeOwned;
use serde_json::{Map, Value};

/// A kernel's parameters. Derive it: each field is a parameter, described by its doc comment and
/// `#[param(default = …, min = …, max = …, choice, json)]`. A field without default must be given,
/// unless it is an `Option`.
pub trait Params: Sized {
    /// The parameters' descriptions: a JSON array.
    const FIELDS: &'static str;
    /// Reads them from JSON; empty bytes and `null` stand for an empty object. The error names the
    /// parameter that does not fit.
    fn from_json(bytes: &[u8]) -> Result<Self, String>;
}

/// The parameters of a kernel that takes none.
#[derive(Clone, Copy, Debug, Default)]
pub struct NoParams;

impl Params for NoParams {
    const FIELDS: &'static str = "[]";
    fn from_json(bytes: &[u8]) -> Result<Self, String> {
        Object::parse(bytes)?.finish(&[]).map(|()| Self)
    }
}

/// A parameter that is one of a few words. Derive it on an enum of plain variants: the words are
/// the variants' names in lower case.
pub trait Choice: Sized {
    /// The words, as a JSON array.
    const CHOICES: &'static str;
    /// The choice of that name.
    fn from_name(name: &str) -> Option<Self>;
}

/// What a value must keep to.
#[doc(hidden)]
#[derive(Clone, Copy)]
pub struct Rules {
    /// JSON, in place of a parameter that is not given.
    pub default: Option<&'static str>,
    pub min: Option<f64>,
    pub max: Option<f64>,
}

/// The parameters as they came, each taken out once.
#[doc(hidden)]
pub struct Object(Map<String, Value>);

impl Object {
    pub fn parse(bytes: &[u8]) -> Result<Self, String> {
        if bytes.trim_ascii().is_empty() {
            return Ok(Self(Map::new()));
        }
        match serde_json::from_slice(bytes) {
            Ok(Value::Object(map)) => Ok(Self(map)),
            Ok(Value::Null) => Ok(Self(Map::new())),
            Ok(_) => Err("the parameters must be a JSON object".to_owned()),
            Err(error) => Err(format!("the parameters are not JSON: {error}")),
        }
    }

    /// The parameter `name`, within its rules.
    pub fn take<T: DeserializeOwned>(&mut self, name: &str, rules: Rules) -> Result<T, String> {
        let value = self.value(name, rules)?;
        if let Some(number) = value.as_f64() {
            check_range(name, number, &rules)?;
        }
        serde_json::from_value(value).map_err(|error| format!("parameter `{name}`: {error}"))
    }

    /// The parameter `name`, one of `T`'s words.
    pub fn take_choice<T: Choice>(&mut self, name: &str, rules: Rules) -> Result<T, String> {
        let value = self.value(name, rules)?;
        value
            .as_str()
            .and_then(T::from_name)
            .ok_or_else(|| format!("parameter `{name}`: {value} is not one of {}", T::CHOICES))
    }

    /// Says which parameter nobody knows, if there is one.
    pub fn finish(self, known: &[&str]) -> Result<(), String> {
        let Some(name) = self.0.keys().next() else {
            return Ok(());
        };
        if known.is_empty() {
            return Err(format!("parameter `{name}`: this kernel takes no parameters"));
        }
        Err(format!(
            "parameter `{name}` is not known; there are: {}",
            known.join(", ")
        ))
    }

    fn value(&mut self, name: &str, rules: Rules) -> Result<Value, String> {
        let given = self.0.remove(name);
        if let Some(value) = given {
            return Ok(value);
        }
        let default = rules
            .default
            .ok_or_else(|| format!("parameter `{name}` must be given"))?;
        serde_json::from_str(default).map_err(|error| format!("parameter `{name}`: its default: {error}"))
    }
}

fn check_range(name: &str, number: f64, rules: &Rules) -> Result<(), String> {
    match (rules.min, rules.max) {
        (Some(min), _) if number < min => Err(format!("parameter `{name}`: {number} is below {min}")),
        (_, Some(max)) if number > max => Err(format!("parameter `{name}`: {number} is above {max}")),
        _ => Ok(()),
    }
}
