//! Python 2.7's way of writing decoded JSON, where the wire format shows it: in the string to sign and in records.
//!
//! Why here: Open edX is written in Python, and the vendor signs what Python would print. What not: no parsing.
//! Source: reference 3.7 step 3 and 7.1 step 6.

use std::fmt::Write as _;

use crate::vendor::strict_json::Json;

/// Writes a value as `str()` does: strings as they are, `None`, `True`, `False`, numbers, lists in Python's notation.
#[must_use]
pub fn to_text(value: &Json) -> String {
    match value {
        Json::Text(text) => text.clone(),
        Json::Number(digits) => number(digits),
        Json::Null | Json::Bool(_) | Json::List(_) | Json::Object(_) => {
            let mut text = String::new();
            push_repr(&mut text, value);
            text
        }
    }
}

/// Writes a value as `json.dumps()` does: blanks after commas and colons, everything outside ASCII escaped.
#[must_use]
pub fn to_json_text(value: &Json) -> String {
    let mut text = String::new();
    push_json(&mut text, value);
    text
}

/// Writes a JSON number as Python prints it: integers in full, all others as the shortest text of the same `float`.
#[must_use]
pub fn number(digits: &str) -> String {
    if is_integer(digits) {
        return if digits == "-0" { "0".to_owned() } else { digits.to_owned() };
    }
    let Ok(value) = digits.parse::<f64>() else { return digits.to_owned() };
    if value.is_infinite() {
        return if value > 0.0 { "inf".to_owned() } else { "-inf".to_owned() };
    }
    let scientific = format!("{value:e}");
    let (mantissa, exponent) = scientific.split_once('e').unwrap_or((&scientific, "0"));
    let exponent: i32 = exponent.parse().unwrap_or_default();
    if (-4..16).contains(&exponent) {
        return format!("{value:?}");
    }
    let sign = if exponent < 0 { '-' } else { '+' };
    format!("{mantissa}e{sign}{:02}", exponent.unsigned_abs())
}

fn is_integer(digits: &str) -> bool {
    !digits.contains(['.', 'e', 'E'])
}

fn push_json(out: &mut String, value: &Json) {
    match value {
        Json::Null => out.push_str("null"),
        Json::Bool(true) => out.push_str("true"),
        Json::Bool(false) => out.push_str("false"),
        Json::Number(digits) => out.push_str(&number(digits).replace("inf", "Infinity")),
        Json::Text(text) => push_json_string(out, text),
        Json::List(items) => {
            out.push('[');
            for (place, item) in items.iter().enumerate() {
                push_separator(out, place);
                push_json(out, item);
            }
            out.push(']');
        }
        Json::Object(members) => {
            out.push('{');
            for (place, (key, item)) in members.iter().enumerate() {
                push_separator(out, place);
                push_json_string(out, key);
                out.push_str(": ");
                push_json(out, item);
            }
            out.push('}');
        }
    }
}

fn push_json_string(out: &mut String, text: &str) {
    out.push('"');
    for character in text.chars() {
        match character {
            '"' => out.push_str("\\\""),
            '\\' => out.push_str("\\\\"),
            '\n' => out.push_str("\\n"),
            '\r' => out.push_str("\\r"),
            '\t' => out.push_str("\\t"),
            '\u{8}' => out.push_str("\\b"),
            '\u{c}' => out.push_str("\\f"),
            ' '..='\u{7f}' => out.push(character),
            _ => {
                for unit in character.encode_utf16(&mut [0; 2]) {
                    push_hex(out, "\\u", 4, u32::from(*unit));
                }
            }
        }
    }
    out.push('"');
}

/// Writes a value as `repr()` does; objects keep the order of the document, which Python 2.7 leaves open.
fn push_repr(out: &mut String, value: &Json) {
    match value {
        Json::Null => out.push_str("None"),
        Json::Bool(true) => out.push_str("True"),
        Json::Bool(false) => out.push_str("False"),
        Json::Number(digits) => {
            out.push_str(&number(digits));
            if is_integer(digits) && digits.parse::<i64>().is_err() {
                out.push('L');
            }
        }
        Json::Text(text) => push_repr_string(out, text),
        Json::List(items) => {
            out.push('[');
            for (place, item) in items.iter().enumerate() {
                push_separator(out, place);
                push_repr(out, item);
            }
            out.push(']');
        }
        Json::Object(members) => {
            out.push('{');
            for (place, (key, item)) in members.iter().enumerate() {
                push_separator(out, place);
                push_repr_string(out, key);
                out.push_str(": ");
                push_repr(out, item);
            }
            out.push('}');
        }
    }
}

fn push_repr_string(out: &mut String, text: &str) {
    let quote = if text.contains('\'') && !text.contains('"') { '"' } else { '\'' };
    out.push('u');
    out.push(quote);
    for character in text.chars() {
        match character {
            '\\' => out.push_str("\\\\"),
            '\n' => out.push_str("\\n"),
            '\r' => out.push_str("\\r"),
            '\t' => out.push_str("\\t"),
            _ if character == quote => {
                out.push('\\');
                out.push(quote);
            }
            ' '..='\u{7e}' => out.push(character),
            '\0'..='\u{ff}' => push_hex(out, "\\x", 2, u32::from(character)),
            '\u{100}'..='\u{ffff}' => push_hex(out, "\\u", 4, u32::from(character)),
            _ => push_hex(out, "\\U", 8, u32::from(character)),
        }
    }
    out.push(quote);
}

fn push_hex(out: &mut String, mark: &str, digits: usize, value: u32) {
    // Writing to a String never fails, so the result says nothing.
    let _ = write!(out, "{mark}{value:0digits$x}");
}

fn push_separator(out: &mut String, place: usize) {
    if place > 0 {
        out.push_str(", ");
    }
}

#[cfg(test)]
mod tests {
    use super::{number, to_json_text, to_text};
    use crate::vendor::strict_json::parse;

    #[test]
    fn numbers_are_written_as_python_writes_them() {
        let numbers = [
            ("0", "0"),
            ("-0", "0"),
            ("-17", "-17"),
            ("10000000000000000000000", "10000000000000000000000"),
            ("1e3", "1000.0"),
            ("0.1", "0.1"),
            ("2.50", "2.5"),
            ("-0.0", "-0.0"),
            ("1E15", "1000000000000000.0"),
            ("1e16", "1e+16"),
            ("123456789012345678.0", "1.2345678901234568e+17"),
            ("0.0001", "0.0001"),
            ("0.00001", "1e-05"),
            ("1.5e-7", "1.5e-07"),
            ("1e300", "1e+300"),
            ("5e-324", "5e-324"),
            ("1e999", "inf"),
            ("-1e999", "-inf"),
        ];
        for (written, printed) in numbers {
            assert_eq!(number(written), printed, "{written}");
        }
    }

    #[test]
    fn a_nested_list_is_written_in_pythons_notation() {
        let value =
            parse(r#"[1, null, true, false, 2.0, 9223372036854775808, ["x", "it's", "\"'", "é\n\\ƴ😀"], {"k": "v"}]"#.as_bytes());

        assert_eq!(
            to_text(&value.unwrap()),
            r#"[1, None, True, False, 2.0, 9223372036854775808L, [u'x', u"it's", u'"\'', u'\xe9\n\\\u01b4\U0001f600'], {u'k': u'v'}]"#
        );
    }

    #[test]
    fn json_is_written_with_blanks_and_in_ascii() {
        let value = parse(r#"{"b":["é😀\"\\\n\r\t\b\f\u0001\u007f",{}],"a":[null,true,false,1e3,1e999,[]]}"#.as_bytes());

        assert_eq!(
            to_json_text(&value.unwrap()),
            "{\"b\": [\"\\u00e9\\ud83d\\ude00\\\"\\\\\\n\\r\\t\\b\\f\\u0001\u{7f}\", {}], \
             \"a\": [null, true, false, 1000.0, Infinity, []]}"
        );
    }
}
