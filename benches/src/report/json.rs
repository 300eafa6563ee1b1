//! Everything that was measured, as JSON: written, and read again to report it once more.
//!
//! ```text
//! { "machine": [["processor", "…"], …],
//!   "cases": [ { "scene": "…", "title": "…", "others": …,
//!                "columns": [{ "title": "…", "role": "cost" | "yield" | "aside" }],
//!                "peers": [ { "name": "…", "samples": [[…], null, …], "failure": "…" | null } ] } ] }
//! ```

use serde_json::{Value, json};

use crate::column::{Column, Role, Sample};
use crate::finding::{Finding, Row};
use crate::machine::Facts;

const ROLES: [(&str, Role); 3] =
    [("cost", Role::Cost), ("yield", Role::Yield), ("aside", Role::Aside)];

/// The document.
pub(crate) fn render(machine: &Facts, findings: &[Finding]) -> String {
    let cases: Vec<Value> = findings.iter().map(case).collect();
    let facts = json!(machine);
    // A case a line: what changes from run to run is then seen line by line.
    let lines: Vec<String> = cases.iter().map(Value::to_string).collect();
    format!("{{\"machine\":{facts},\n\"cases\":[\n{}\n]}}\n", lines.join(",\n"))
}

fn case(finding: &Finding) -> Value {
    let column = |column: &Column| {
        let role = ROLES.iter().find(|(_, role)| *role == column.role).map(|(name, _)| *name);
        json!({ "title": column.title, "role": role })
    };
    let peer = |row: &Row| {
        let numbers = |sample: &Sample| sample.iter().map(|&n| significant(n)).collect();
        let samples: Vec<Option<Vec<f64>>> =
            row.samples.iter().map(|sample| sample.as_ref().map(numbers)).collect();
        json!({ "name": row.peer, "samples": samples, "failure": row.failure })
    };
    json!({
        "scene": finding.scene,
        "title": finding.title,
        "others": significant(finding.others),
        "columns": finding.columns.iter().map(column).collect::<Vec<_>>(),
        "peers": finding.rows.iter().map(peer).collect::<Vec<_>>(),
    })
}

/// A number to nine places, so that what is shown of it does not change.
fn significant(number: f64) -> f64 {
    format!("{number:.8e}").parse().unwrap_or(number)
}

/// Reads what [`render`] has written; nothing where it is something else.
pub(crate) fn parse(text: &str) -> Option<(Facts, Vec<Finding>)> {
    let document: Value = serde_json::from_str(text).ok()?;
    let fact = |fact: &Value| Some((string(&fact[0])?, string(&fact[1])?));
    let machine = all(&document["machine"], fact)?;
    Some((machine, all(&document["cases"], read_case)?))
}

fn read_case(case: &Value) -> Option<Finding> {
    let column = |column: &Value| {
        let name = column["role"].as_str()?;
        let (_, role) = *ROLES.iter().find(|(known, _)| *known == name)?;
        Some(Column { title: string(&column["title"])?.into(), role })
    };
    let sample = |sample: &Value| match sample {
        Value::Null => Some(None),
        numbers => Some(Some(all(numbers, |n| Some(n.as_f64().unwrap_or(f64::NAN)))?)),
    };
    let row = |row: &Value| {
        Some(Row {
            peer: string(&row["name"])?,
            samples: all(&row["samples"], sample)?,
            failure: string(&row["failure"]),
        })
    };
    Some(Finding {
        scene: string(&case["scene"])?,
        title: string(&case["title"])?,
        columns: all(&case["columns"], column)?,
        rows: all(&case["peers"], row)?,
        others: case["others"].as_f64()?,
    })
}

fn all<T>(values: &Value, read: impl Fn(&Value) -> Option<T>) -> Option<Vec<T>> {
    values.as_array()?.iter().map(read).collect()
}

fn string(value: &Value) -> Option<String> {
    value.as_str().map(str::to_owned)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::finding::tests::finding;

    #[test]
    fn what_is_written_is_read_again() {
        let mut found = finding(Role::Yield, &[("shim", &[1.5, 2.5]), ("may", &[])]);
        found.rows[0].samples.push(None);
        found.rows[1].failure = Some("a \"b\"\n\\".to_owned());
        let machine = vec![("processor".to_owned(), "x".to_owned())];
        let text = render(&machine, &[found.clone()]);
        let (facts, findings) = parse(&text).expect("it was just written");
        assert_eq!(facts, machine);
        assert_eq!(format!("{findings:?}"), format!("{:?}", [found]));
        assert!(parse("{}").is_none());
    }
}
