//! `Idempotency-Key`: the caller's name for one request, so that sending it again is no second request.

use poem::Request;

use crate::error::Fault;

/// Longest key, in characters.
const LENGTH_MAX: usize = 255;

/// The key of a request, if it has one.
///
/// # Errors
///
/// 400 when it is empty, too long, given twice, or not printable.
pub fn read(request: &Request) -> Result<Option<String>, Fault> {
    let mut values = request.headers().get_all("idempotency-key").iter();
    let Some(value) = values.next() else { return Ok(None) };
    let text = value.to_str().unwrap_or_default();
    let is_sound = !text.is_empty() && text.len() <= LENGTH_MAX && text.bytes().all(|byte| byte.is_ascii_graphic());
    if is_sound && values.next().is_none() {
        Ok(Some(text.to_owned()))
    } else {
        Err(Fault::bad_request("Idempotency-Key must have 1 to 255 printable characters without blanks, and stand once."))
    }
}
