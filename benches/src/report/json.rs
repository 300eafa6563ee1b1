//! Everything that was measured, as JSON.
//!
//! ```text
//! { "machine": { "processor": "…", … },
//!   "cases": [ { "scene": "…", "title": "…", "columns": ["…"], "others": …,
//!                "peers": [ { "name": "…", "samples": [[…]], "median": […], "ratio": […] },
//!                           { "name": "…", "failed": "…" } ] } ] }
//! ```

use crate::run::{Finding, Row};

/// A JSON value, already written.
#[derive(Clone, Debug)]
struct Json(String);

impl From<&str> for Json {
    fn from(text: &str) -> Json {
        let mut quoted = String::from('"');
        for c in text.chars() {
            match c {
                '"' => quoted.push_str("\\\""),
                '\\' => quoted.push_str("\\\\"),
                c if c.is_control() => quoted.push_str(&format!("\\u{:04x}", u32::from(c))),
                c => quoted.push(c),
            }
        }
        quoted.push('"');
        Json(quoted)
    }
}

impl From<Option<f64>> for Json {
    fn from(number: Option<f64>) -> Json {
        // JSON has no infinities.
        Json(number.filter(|n| n.is_finite()).map_or("null".to_owned(), |n| n.to_string()))
    }
}

fn array(values: impl IntoIterator<Item = Json>) -> Json {
    let values: Vec<String> = values.into_iter().map(|value| value.0).collect();
    Json(format!("[{}]", values.join(",")))
}

fn object<'a>(fields: impl IntoIterator<Item = (&'a str, Json)>) -> Json {
    let field = |(name, value): (&str, Json)| format!("{}:{}", Json::from(name).0, value.0);
    let fields: Vec<String> = fields.into_iter().map(field).collect();
    Json(format!("{{{}}}", fields.join(",")))
}

/// The document.
pub(crate) fn render(machine: &[(&'static str, String)], findings: &[Finding]) -> String {
    let machine = object(machine.iter().map(|(name, value)| (*name, value.as_str().into())));
    let cases = array(findings.iter().map(case));
    object([("machine", machine), ("cases", cases)]).0 + "\n"
}

fn case(finding: &Finding) -> Json {
    object([
        ("scene", finding.scene.into()),
        ("title", finding.title.as_str().into()),
        ("columns", array(finding.columns.iter().map(|column| column.title.into()))),
        ("others", Some(finding.others).into()),
        ("peers", array(finding.rows.iter().map(|row| peer(finding, row)))),
    ])
}

fn peer(finding: &Finding, row: &Row) -> Json {
    if let Some(why) = &row.failure {
        return object([("name", row.peer.into()), ("failed", why.as_str().into())]);
    }
    let numbers = |sample: &Vec<f64>| array(sample.iter().map(|&value| Some(value).into()));
    let summaries: Vec<_> =
        (0..finding.columns.len()).map(|column| finding.summary(row, column)).collect();
    object([
        ("name", row.peer.into()),
        ("samples", array(row.samples.iter().map(numbers))),
        ("median", array(summaries.iter().map(|s| s.map(|s| s.median).into()))),
        ("ratio", array(summaries.iter().map(|s| s.and_then(|s| s.ratio).into()))),
    ])
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::scene::{Column, Role};

    #[test]
    fn a_document_is_valid_down_to_its_escapes() {
        let rows = vec![
            Row { peer: "shim", samples: vec![vec![1.5], vec![2.5]], failure: None },
            Row { peer: "may", samples: Vec::new(), failure: Some("a \"b\"\n\\".to_owned()) },
        ];
        let columns = &[Column { title: "ns", role: Role::Cost }];
        let finding =
            Finding { scene: "yield", title: "2".to_owned(), columns, rows, others: 0.25 };
        let text = render(&[("processor", "x".to_owned())], &[finding]);
        let expected = concat!(
            r#"{"machine":{"processor":"x"},"cases":[{"scene":"yield","title":"2","#,
            r#""columns":["ns"],"others":0.25,"peers":[{"name":"shim","samples":[[1.5],[2.5]],"#,
            r#""median":[2],"ratio":[1]},{"name":"may","failed":"a \"b\"\u000a\\"}]}]}"#,
            "\n"
        );
        assert_eq!(text, expected);
    }
}
