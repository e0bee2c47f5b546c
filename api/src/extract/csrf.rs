//! A POST with the session cookie must carry the CSRF token twice: in its cookie, and in a header or field
//! that another site can't set.

use poem::Request;
use subtle::ConstantTimeEq;

use super::learner::{Learner, cookies};
use crate::error::Fault;

/// The cookie that holds the token.
const COOKIE: &str = "csrftoken";
/// The form field that repeats it.
pub const FIELD: &str = "csrfmiddlewaretoken";
/// Fewest characters of a token that counts.
const LENGTH_MIN: usize = 16;

/// Checks the token; a bearer needs none.
///
/// # Errors
///
/// 403 when it is missing or differs, or when the browser says that another site sends.
pub fn check(request: &Request, learner: &Learner, field: Option<&str>) -> Result<(), Fault> {
    if !learner.has_cookie {
        return Ok(());
    }
    if request.header("sec-fetch-site") == Some("cross-site") {
        return Err(Fault::forbidden("The form was sent by another site."));
    }
    let cookie = cookies(request).get(COOKIE).map(|cookie| cookie.value_str().to_owned()).unwrap_or_default();
    let repeated = request.header("x-csrftoken").or(field).unwrap_or_default();
    let is_same = cookie.len() >= LENGTH_MIN && bool::from(cookie.as_bytes().ct_eq(repeated.as_bytes()));
    if is_same { Ok(()) } else { Err(Fault::forbidden("CSRF token missing or incorrect.")) }
}
