//! A form made of an entry's description: what people typed becomes parameters, or problems by field.
use protocol::description::{Entry, Field, FieldKind, ParamProblem};
use serde_json::{Map, Value};
use std::collections::BTreeMap;

/// What was typed, by name of the parameter. Nothing typed means: take the default.
pub type Typed = BTreeMap<String, String>;

/// Parameters that no description tells of, typed as JSON.
pub fn undescribed(text: &str) -> Result<Value, String> {
    let text = text.trim();
    if text.is_empty() {
        return Ok(Value::Null);
    }
    match serde_json::from_str(text) {
        Ok(params @ Value::Object(_)) => Ok(params),
        Ok(_) => Err("Parameters must be a JSON object, such as {\"depth\": 3}.".into()),
        Err(error) => Err(format!("Parameters must be a JSON object: {error}.")),
    }
}

/// The parameters that were typed and differ from their defaults, checked as the coordinator will.
pub fn params(entry: &Entry, typed: &Typed) -> Result<Value, Vec<ParamProblem>> {
    let mut given = Map::new();
    let mut problems = Vec::new();
    for field in entry.params.iter().flatten() {
        let text = typed.get(&field.name).map_or("", |text| text.trim());
        match value(field, text) {
            None => {}
            Some(Ok(value)) => drop(given.insert(field.name.clone(), value)),
            Some(Err(problem)) => problems.push(ParamProblem {
                field: field.name.clone(),
                problem,
            }),
        }
    }
    let more = entry
        .check_params(&Value::Object(given.clone()))
        .err()
        .unwrap_or_default();
    // What could not be read was not given either: that it is missing is not said a second time.
    problems.extend(
        more.into_iter()
            .filter(|p| typed.get(&p.field).is_none_or(|text| text.trim().is_empty())),
    );
    if problems.is_empty() {
        given.retain(|name, value| !is_default(entry, name, value));
        Ok(Value::Object(given))
    } else {
        Err(problems)
    }
}

/// The same with the defaults filled in: what the program will see.
pub fn complete(entry: &Entry, typed: &Typed) -> Option<Value> {
    entry.check_params(&params(entry, typed).ok()?).ok()
}

/// A typed text as the value of a field; `None` when nothing was typed.
pub fn value(field: &Field, text: &str) -> Option<Result<Value, String>> {
    if text.is_empty() {
        return None;
    }
    let read = match field.kind {
        FieldKind::Integer => integer(text),
        FieldKind::Number => number(text),
        FieldKind::Boolean => text.parse().ok().map(Value::Bool),
        FieldKind::Text | FieldKind::Choice => Some(Value::String(text.into())),
        FieldKind::Json => serde_json::from_str(text).ok(),
    };
    let wanted = || format!("must be {}, not {text}", field.wanted());
    Some(
        read.ok_or_else(wanted)
            .and_then(|value| field.check(&value).map(|()| value)),
    )
}

fn integer(text: &str) -> Option<Value> {
    let digits = text.replace(['_', ','], "");
    digits
        .parse::<i64>()
        .map(Value::from)
        .or_else(|_| digits.parse::<u64>().map(Value::from))
        .ok()
}

fn number(text: &str) -> Option<Value> {
    integer(text).or_else(|| serde_json::Number::from_f64(text.parse().ok()?).map(Value::Number))
}

fn is_default(entry: &Entry, name: &str, value: &Value) -> bool {
    let field = entry.params.iter().flatten().find(|field| field.name == name);
    let Some(default) = field.and_then(|field| field.default.as_ref()) else {
        return false;
    };
    match (default.as_f64(), value.as_f64()) {
        (Some(default), Some(value)) => default.total_cmp(&value).is_eq(),
        _ => default == value,
    }
}

/// A default as it would be typed.
pub fn shown(value: &Value) -> String {
    match value {
        Value::String(text) => text.clone(),
        other => other.to_string(),
    }
}

/// The problem of one field.
pub fn problem_of<'a>(problems: &'a [ParamProblem], field: &str) -> Option<&'a str> {
    problems
        .iter()
        .find(|problem| problem.field == field)
        .map(|problem| problem.problem.as_str())
}

#[cfg(test)]
mod tests {
    use super::*;
    use serde_json::json;

    fn entry() -> Entry {
        let fields = json!([
            {"name": "width", "type": "integer", "default": 1024, "min": 1, "max": 4096},
            {"name": "span", "type": "number", "default": 3.0},
            {"name": "kind", "type": "choice", "choices": ["call", "put"], "required": true},
            {"name": "deep", "type": "boolean", "default": false},
            {"name": "more", "type": "json"},
        ]);
        Entry {
            params: serde_json::from_value(fields).unwrap(),
            ..Entry::default()
        }
    }

    fn typed(pairs: &[(&str, &str)]) -> Typed {
        pairs
            .iter()
            .map(|(name, text)| ((*name).into(), (*text).into()))
            .collect()
    }

    #[test]
    fn only_what_differs_from_the_defaults_is_sent() {
        let typed = typed(&[
            ("width", "1,024"),
            ("span", "3"),
            ("kind", "put"),
            ("deep", "true"),
            ("more", "[1]"),
        ]);
        assert_eq!(
            params(&entry(), &typed).unwrap(),
            json!({"kind": "put", "deep": true, "more": [1]})
        );
        let complete = complete(&entry(), &typed).unwrap();
        assert_eq!(complete["width"], json!(1024));
    }

    #[test]
    fn what_no_description_tells_of_is_an_object() {
        assert_eq!(undescribed(" \n"), Ok(Value::Null));
        assert_eq!(undescribed("{\"depth\": 3}"), Ok(json!({"depth": 3})));
        assert!(undescribed("3").is_err_and(|told| told.contains("such as")));
        assert!(undescribed("{depth}").is_err_and(|told| told.contains("line 1 column 2")));
    }

    #[test]
    fn every_problem_is_told_at_its_field() {
        let problems = params(
            &entry(),
            &typed(&[("width", "wide"), ("span", "x"), ("more", "{")]),
        )
        .unwrap_err();
        assert_eq!(
            problem_of(&problems, "width"),
            Some("must be a whole number from 1 to 4096, not wide")
        );
        assert_eq!((problems.len(), problem_of(&problems, "deep")), (4, None));
        let problems = params(&entry(), &typed(&[("width", "5000")])).unwrap_err();
        assert_eq!(
            problem_of(&problems, "kind"),
            Some("is missing: one of call, put")
        );
        assert_eq!(
            problem_of(&problems, "width"),
            Some("must be a whole number from 1 to 4096, not 5000")
        );
    }
}
