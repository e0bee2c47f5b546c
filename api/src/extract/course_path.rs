//! Courses and places in them, as they stand in a path under `/verify_student/`. Source: reference 4.1.

use percent_encoding::percent_decode_str;
use poem::{Request, Response, http::StatusCode};
use vouch_common::domain::keys::{CourseKey, UsageKey};

use crate::error::Fault;

/// What stands after a page's name in a path, decoded, without the slash at its end.
///
/// # Errors
///
/// 404 when it is no text.
fn rest(request: &Request) -> Result<String, Fault> {
    let path = request.uri().path();
    let rest = path.strip_prefix("/verify_student/").and_then(|path| path.split_once('/')).map_or("", |(_, rest)| rest);
    let rest = rest.strip_suffix('/').unwrap_or(rest);
    percent_decode_str(rest).decode_utf8().map(std::borrow::Cow::into_owned).map_err(|_| no_course())
}

/// The course of a path such as `start-flow/{course}/`.
///
/// # Errors
///
/// 404 when it is none.
pub fn course(request: &Request) -> Result<CourseKey, Fault> {
    CourseKey::parse(&rest(request)?).ok_or_else(no_course)
}

/// The course and the place of a path such as `reverify/{course}/{usage}/`.
///
/// # Errors
///
/// 404 when either is none.
pub fn course_and_usage(request: &Request) -> Result<(CourseKey, UsageKey), Fault> {
    let rest = rest(request)?;
    let usage_at = ["/i4x:", "/block-v1:"].into_iter().find_map(|mark| rest.find(mark)).ok_or_else(no_checkpoint)?;
    let (course, usage) = rest.split_at(usage_at);
    let course = CourseKey::parse(course).ok_or_else(no_course)?;
    let usage = UsageKey::parse(usage.trim_start_matches('/')).ok_or_else(no_checkpoint)?;
    Ok((course, usage))
}

/// 404: there is no such course.
#[must_use]
pub fn no_course() -> Fault {
    Fault::not_found("There is no course of that key.")
}

/// 404: there is no such checkpoint.
#[must_use]
pub fn no_checkpoint() -> Fault {
    Fault::not_found("This course has no such checkpoint.")
}

/// The way to the same page with the slash that its address should have at its end, if it is missing.
#[must_use]
pub fn with_slash(request: &Request) -> Option<Response> {
    let uri = request.uri();
    if uri.path().ends_with('/') {
        return None;
    }
    let query = uri.query().map(|query| format!("?{query}")).unwrap_or_default();
    let location = format!("{}/{query}", uri.path());
    Some(Response::builder().status(StatusCode::MOVED_PERMANENTLY).header("location", location).finish())
}

#[cfg(test)]
mod tests {
    use super::*;

    fn at(path: &'static str) -> Request {
        Request::builder().uri(poem::http::Uri::from_static(path)).finish()
    }

    #[test]
    fn a_course_is_read_in_both_spellings_encoded_or_not() {
        for (path, key) in [
            ("/verify_student/start-flow/edX/DemoX/Fall/", "edX/DemoX/Fall"),
            ("/verify_student/start-flow/course-v1:edX+DemoX+Fall/", "course-v1:edX+DemoX+Fall"),
            ("/verify_student/start-flow/course-v1%3AedX%2BDemoX%2BFall/", "course-v1:edX+DemoX+Fall"),
            ("/verify_student/start-flow/edX%2FDemoX%2FFall", "edX/DemoX/Fall"),
        ] {
            assert_eq!(course(&at(path)).map(|key| key.to_string()).ok().as_deref(), Some(key), "{path}");
        }
        for path in [
            "/verify_student/start-flow/",
            "/verify_student/start-flow/edX/",
            "/verify_student/start-flow/a/b/c/d/",
            "/verify_student/start-flow/a/b/%FF/",
        ] {
            assert!(course(&at(path)).is_err(), "{path}");
        }
    }

    #[test]
    fn a_checkpoint_is_read_behind_its_course() {
        for (path, usage) in [
            ("/verify_student/reverify/edX/DemoX/Fall/i4x://edX/DemoX/icrv/midterm/", "i4x://edX/DemoX/icrv/midterm"),
            ("/verify_student/reverify/course-v1:e+D+F/i4x%3A%2F%2Fe%2FD%2Ficrv%2Fmidterm/", "i4x://e/D/icrv/midterm"),
            ("/verify_student/reverify/course-v1:e+D+F/block-v1:e+D+F+type@icrv+block@m/", "block-v1:e+D+F+type@icrv+block@m"),
        ] {
            assert_eq!(course_and_usage(&at(path)).map(|(_, usage)| usage.to_string()).ok().as_deref(), Some(usage), "{path}");
        }
        assert!(course_and_usage(&at("/verify_student/reverify/edX/DemoX/Fall/midterm/")).is_err());
    }

    #[test]
    fn a_missing_slash_is_put_right() {
        let moved = with_slash(&at("/verify_student/start-flow/a/b/c?x=1")).expect("moved");
        assert_eq!(moved.headers()["location"], "/verify_student/start-flow/a/b/c/?x=1");
        assert!(with_slash(&at("/verify_student/start-flow/a/b/c/")).is_none());
    }
}
