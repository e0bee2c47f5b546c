//! Mails in words: a folder a mail, with subject, text and HTML. Names are escaped in HTML.

use chrono::{DateTime, Utc};
use minijinja::{Environment, UndefinedBehavior, context};
use vouch_common::{
    domain::{
        checkpoint::Outcome,
        course::{courseware_url, reverify_path},
        effect::MailTemplate,
    },
    operations::load_mail::{CheckpointFacts, MailFacts},
};

/// What every mail says of the deployment.
#[derive(Debug, Clone)]
pub(super) struct Site {
    pub(super) platform_name: String,
    pub(super) support_email: String,
    pub(super) dashboard_url: String,
    pub(super) courseware_url: String,
    pub(super) reverify_url: String,
    /// Without a slash at its end.
    pub(super) public_url: String,
}

/// A mail in words.
#[derive(Clone, PartialEq, Eq)]
pub(super) struct Rendered {
    pub(super) subject: String,
    pub(super) text: String,
    pub(super) html: String,
}

macro_rules! template {
    ($folder:literal) => {
        [
            (concat!($folder, "/subject.txt"), include_str!(concat!("../../../templates/", $folder, "/subject.txt"))),
            (concat!($folder, "/text.txt"), include_str!(concat!("../../../templates/", $folder, "/text.txt"))),
            (concat!($folder, "/body.html"), include_str!(concat!("../../../templates/", $folder, "/body.html"))),
        ]
    };
}

const LAYOUT: (&str, &str) = ("layout.html", include_str!("../../../templates/layout.html"));
const FOLDERS: [[(&str, &str); 3]; 6] = [
    template!("photos_received"),
    template!("approved"),
    template!("denied"),
    template!("credit_eligible"),
    template!("reverification_status"),
    template!("verification_expired"),
];

pub(super) struct Renderer {
    environment: Environment<'static>,
    site: Site,
}

impl Renderer {
    pub(super) fn new(site: Site) -> Result<Self, minijinja::Error> {
        let mut environment = Environment::new();
        // A fact that a template names and nobody gives is a fault, not a blank.
        environment.set_undefined_behavior(UndefinedBehavior::Strict);
        environment.add_template(LAYOUT.0, LAYOUT.1)?;
        for (name, source) in FOLDERS.into_iter().flatten() {
            environment.add_template(name, source)?;
        }
        Ok(Self { environment, site })
    }

    pub(super) fn render(&self, template: MailTemplate, facts: &MailFacts) -> Result<Rendered, minijinja::Error> {
        let checkpoint = match (template, &facts.checkpoint) {
            (MailTemplate::ReverificationStatus(outcome), Some(checkpoint)) => {
                Some(checkpoint_values(&self.site, outcome, checkpoint, &facts.reasons))
            }
            _ => None,
        };
        let part = |file: &str| {
            self.environment.get_template(&format!("{}/{file}", template.as_str()))?.render(context! {
                platform_name => &self.site.platform_name,
                support_email => &self.site.support_email,
                dashboard_url => &self.site.dashboard_url,
                reverify_url => &self.site.reverify_url,
                full_name => &facts.full_name,
                reasons => &facts.reasons,
                expires_at => facts.expires_at.map(display_time),
                course_name => &facts.course_name,
                providers => &facts.providers,
                checkpoint => checkpoint.clone(),
            })
        };
        // A subject is one line, whatever a name holds.
        let subject = part("subject.txt")?.split_whitespace().collect::<Vec<_>>().join(" ");
        Ok(Rendered { subject, text: part("text.txt")?, html: part("body.html")? })
    }
}

/// What a mail says of a checkpoint. Source: reference 7.3; how many tries there are: ADR 0010.
fn checkpoint_values(site: &Site, outcome: Outcome, checkpoint: &CheckpointFacts, reasons: &[String]) -> minijinja::Value {
    let CheckpointFacts { course, usage, tries, .. } = checkpoint;
    let reasons = if outcome == Outcome::Denied { reasons } else { &[] };
    context! {
        is_approved => outcome == Outcome::Approved,
        assessment => &checkpoint.assessment,
        used => tries.used,
        allowed => tries.allowed,
        can_try_again => checkpoint.is_open && tries.left() != Some(0),
        due => checkpoint.due.map(display_time),
        reasons => reasons.to_vec(),
        reverify_url => format!("{}{}", site.public_url, reverify_path(course, usage)),
        course_url => courseware_url(&site.courseware_url, course, usage, &checkpoint.place),
    }
}

/// A time for people, as `Jun 01, 2016 at 12:00 UTC`. Source: reference 4.6.
fn display_time(at: DateTime<Utc>) -> String {
    at.format("%b %d, %Y at %H:%M UTC").to_string()
}

#[cfg(test)]
mod tests {
    use vouch_common::domain::{
        checkpoint::Tries,
        course::BlockPlace,
        keys::{CourseKey, UsageKey},
    };

    use super::*;

    fn site() -> Site {
        Site {
            platform_name: "Demo & Sons".to_owned(),
            support_email: "help@example.com".to_owned(),
            dashboard_url: "https://learn.example.com/dashboard".to_owned(),
            courseware_url: "https://learn.example.com/courses".to_owned(),
            reverify_url: "https://learn.example.com/verify_student/reverify".to_owned(),
            public_url: "https://learn.example.com".to_owned(),
        }
    }

    fn facts() -> MailFacts {
        MailFacts {
            email: "sofia@example.com".to_owned(),
            full_name: "Sofia <b>Marek</b>".to_owned(),
            reasons: vec!["No photo ID was provided.".to_owned()],
            expires_at: DateTime::from_timestamp(1_464_782_400, 0),
            course_name: Some("Demo <Course>".to_owned()),
            providers: Some("A, B, and C".to_owned()),
            checkpoint: CourseKey::parse("course-v1:edX+DemoX+Fall")
                .zip(UsageKey::parse("i4x://edX/DemoX/edx-reverification-block/midterm"))
                .map(|(course, usage)| CheckpointFacts {
                    course,
                    usage,
                    place: BlockPlace::default(),
                    assessment: "Mid<term".to_owned(),
                    tries: Tries::new(1, Some(1)),
                    is_open: true,
                    due: DateTime::from_timestamp(1_464_782_400, 0),
                }),
        }
    }

    fn render(template: MailTemplate) -> Rendered {
        Renderer::new(site()).and_then(|renderer| renderer.render(template, &facts())).expect("it renders")
    }

    #[test]
    fn every_mail_has_subject_text_and_html_with_names_escaped() {
        for template in [
            MailTemplate::PhotosReceived,
            MailTemplate::Approved,
            MailTemplate::Denied,
            MailTemplate::CreditEligible,
            MailTemplate::ReverificationStatus(Outcome::Approved),
            MailTemplate::ReverificationStatus(Outcome::Denied),
            MailTemplate::ReverificationStatus(Outcome::Error),
            MailTemplate::VerificationExpired,
        ] {
            let mail = render(template);
            assert!(!mail.subject.is_empty() && !mail.subject.contains('\n'));
            assert!(mail.text.contains("Demo & Sons"), "{}", mail.text);
            assert!(mail.html.contains("Demo &amp; Sons") && !mail.html.contains("<b>Marek"), "{}", mail.html);
        }
    }

    /// The text of a mail about a checkpoint, blanks and line breaks as one blank.
    fn status_text(outcome: Outcome, change: impl Fn(&mut CheckpointFacts)) -> String {
        let mut facts = facts();
        facts.checkpoint.iter_mut().for_each(change);
        let mail =
            Renderer::new(site()).and_then(|renderer| renderer.render(MailTemplate::ReverificationStatus(outcome), &facts));
        mail.expect("it renders").text.split_whitespace().collect::<Vec<_>>().join(" ")
    }

    #[test]
    fn a_verdict_at_a_checkpoint_tells_how_many_tries_are_left_and_until_when() {
        let retry = "You can try again here: https://learn.example.com/verify_student/reverify/course-v1:edX+DemoX+Fall/i4x://edX/DemoX/edx-reverification-block/midterm/";
        let approved = status_text(Outcome::Approved, |_| {});
        assert!(approved.contains("successfully verified for Mid<term in Demo <Course>."), "{approved}");
        assert!(!approved.contains("attempts") && !approved.contains(retry), "{approved}");
        for outcome in [Outcome::Denied, Outcome::Error] {
            let text = status_text(outcome, |_| {});
            assert!(text.contains("could not verify your identity for Mid<term in Demo <Course>."), "{text}");
            assert!(text.contains("used 1 out of 2 attempts. You must verify your identity before the assessment closes on Jun 01, 2016 at 12:00 UTC. You can"), "{text}");
            assert!(text.contains(retry) && text.contains("https://learn.example.com/courses/"), "{text}");
            assert!(text.contains("student support at help@example.com. Thanks, The Demo & Sons team"), "{text}");
            assert_eq!(text.contains("No photo ID was provided."), outcome == Outcome::Denied, "{text}");
        }
    }

    #[test]
    fn a_verdict_at_a_checkpoint_without_a_further_try_says_so() {
        let used_up = status_text(Outcome::Denied, |checkpoint| checkpoint.tries = Tries::new(2, Some(1)));
        assert!(used_up.contains("used 2 out of 2 attempts, and verification is no longer possible."), "{used_up}");
        let closed = status_text(Outcome::Denied, |checkpoint| checkpoint.is_open = false);
        assert!(closed.contains("used 1 out of 2 attempts, and verification is no longer possible."), "{closed}");
        for text in [used_up, closed] {
            assert!(!text.contains("try again"), "{text}");
        }
    }

    #[test]
    fn a_verdict_at_a_checkpoint_of_which_nobody_told_goes_out_with_what_is_known() {
        let text = status_text(Outcome::Denied, |checkpoint| {
            (checkpoint.tries, checkpoint.due) = (Tries::new(3, None), None);
        });
        assert!(text.contains("try again") && !text.contains("out of") && !text.contains("closes"), "{text}");
    }

    #[test]
    fn the_subjects_are_those_of_the_reference() {
        assert_eq!(render(MailTemplate::PhotosReceived).subject, "Verification photos received");
        assert_eq!(render(MailTemplate::CreditEligible).subject, "You are eligible for credit from A, B, and C");
        let mut nobody = facts();
        nobody.providers = None;
        let renderer = Renderer::new(site()).expect("templates");
        let mail = renderer.render(MailTemplate::CreditEligible, &nobody).expect("it renders");
        assert_eq!(mail.subject, "Course Credit Eligibility");
        assert_eq!(render(MailTemplate::ReverificationStatus(Outcome::Error)).subject, "Re-verification Status");
    }

    #[test]
    fn a_denial_tells_the_reasons_and_where_to_try_again() {
        let mail = render(MailTemplate::Denied);
        for body in [&mail.text, &mail.html] {
            assert!(body.contains("No photo ID was provided."));
            // HTML has its slashes escaped.
            assert!(body.replace("&#x2f;", "/").contains("/verify_student/reverify"));
        }
    }

    #[test]
    fn an_approval_tells_until_when_it_counts() {
        assert!(render(MailTemplate::Approved).text.contains("Jun 01, 2016 at 12:00 UTC"));
    }
}
