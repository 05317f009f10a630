//! Query strings of `/api/v1/totals` and `/api/v1/instances`.

use std::sync::LazyLock;

use quipu_aggregator::fuzzing::Api;
use quipu_record::{Aggregate, Selector, Series};
use serde_json::Value;

use crate::{Outcome, check_error, text, totals};

/// What the API has, in the order of its answers.
const TOTALS: &str = r#"a
a{b="1"}
a{b="1",c="2"}
a{b="é"}
aa
b{b="1"}
{"my metric","my label"="&=+%;"}
z"#;
const DEFAULT_LIMIT: usize = 1000;
const MAX_LIMIT: usize = 10_000;

static API: LazyLock<(Api, Vec<Aggregate>)> = LazyLock::new(|| {
    let mut totals = totals::read(TOTALS.lines());
    totals.sort_by(|a, b| a.series.cmp(&b.series));
    (Api::new(&totals), totals)
});

pub(crate) fn check(input: &[u8]) -> Outcome {
    let Some(query) = text(input) else { return Outcome::Refused };
    let (api, totals) = &*API;
    if let Some((status, body)) = api.instances(query) {
        // There is no task that could answer.
        assert!([400, 503].contains(&status), "{status}: {body}");
        check_refusal(&body, query);
    }
    match api.totals(query) {
        Some((200, body)) => {
            check_answer(&body, &Query::read(query), totals);
            Outcome::Accepted
        }
        Some((status, body)) => {
            assert_eq!(status, 400, "{body}");
            check_refusal(&body, query);
            Outcome::Refused
        }
        None => Outcome::Refused,
    }
}

fn check_refusal(body: &str, query: &str) {
    let body: Value = serde_json::from_str(body).expect("JSON");
    let error = body["error"].as_str().expect("an error");
    check_error(&error, 2000 + 10 * query.len());
}

/// Computes the answer again: what is selected, after a series, and at most so many.
fn check_answer(body: &str, query: &Query, totals: &[Aggregate]) {
    let selector = query.selector.as_ref().map(|text| text.parse::<Selector>().expect("a selector"));
    let after = query.after.as_ref().map(|text| text.parse::<Series>().expect("a series"));
    let limit = query.limit.as_ref().map_or(DEFAULT_LIMIT, |text| text.parse().expect("a number"));
    assert!((1..=MAX_LIMIT).contains(&limit), "{limit}");
    let wanted = totals.iter().filter(|total| {
        selector.as_ref().is_none_or(|selector| selector.matches(&total.series.as_ref()))
            && after.as_ref().is_none_or(|after| total.series > *after)
    });
    let wanted: Vec<&Aggregate> = wanted.collect();
    let page = &wanted[..limit.min(wanted.len())];

    let answer: Value = serde_json::from_str(body).expect("JSON");
    let answered = answer["totals"].as_array().expect("totals").iter();
    let answered: Vec<_> =
        answered.map(|total| Aggregate::decode(total.to_string().as_bytes()).expect("an aggregate")).collect();
    assert!(answered.iter().eq(page.iter().copied()), "{body}");
    let next = page.last().filter(|_| page.len() < wanted.len()).map(|last| last.series.to_string());
    assert_eq!(answer["next"].as_str(), next.as_deref(), "{body}");
}

/// The parameters of an accepted query.
#[derive(Default)]
struct Query {
    selector: Option<String>,
    limit: Option<String>,
    after: Option<String>,
}

impl Query {
    fn read(query: &str) -> Self {
        let mut read = Self::default();
        // A URI may have a fragment, which is not sent.
        let query = query.split('#').next().unwrap_or_default();
        for pair in query.split('&').filter(|pair| !pair.is_empty()) {
            let (name, value) = pair.split_once('=').unwrap_or((pair, ""));
            let parameter = match decode(name).as_str() {
                "match" => &mut read.selector,
                "limit" => &mut read.limit,
                "after" => &mut read.after,
                other => panic!("an unknown parameter was accepted: {other:?}"),
            };
            assert!(parameter.replace(decode(value)).is_none(), "a parameter was accepted twice: {query}");
        }
        read
    }
}

/// Undoes the encoding of forms: a plus is a space, a percent sign and two hexadecimal digits are a byte.
fn decode(text: &str) -> String {
    let mut bytes = Vec::new();
    let mut rest = text.as_bytes();
    while let [first, tail @ ..] = rest {
        rest = tail;
        bytes.push(match (first, tail) {
            (b'+', _) => b' ',
            (b'%', [high, low, tail @ ..]) if high.is_ascii_hexdigit() && low.is_ascii_hexdigit() => {
                rest = tail;
                let digit = |byte: &u8| char::from(*byte).to_digit(16).and_then(|digit| u8::try_from(digit).ok());
                digit(high).zip(digit(low)).map(|(high, low)| high << 4 | low).expect("two digits")
            }
            (byte, _) => *byte,
        });
    }
    String::from_utf8_lossy(&bytes).into_owned()
}
