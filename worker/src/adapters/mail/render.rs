//! Mails in words: a folder a mail, with subject, text and HTML. Names are escaped in HTML.

use chrono::{DateTime, Utc};
use minijinja::{Environment, UndefinedBehavior, context};
use vouch_common::{domain::effect::MailTemplate, operations::load_mail::MailFacts};

/// What every mail says of the deployment.
#[derive(Debug, Clone)]
pub(super) struct Site {
    pub(super) platform_name: String,
    pub(super) support_email: String,
    pub(super) dashboard_url: String,
    pub(super) reverify_url: String,
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
const FOLDERS: [[(&str, &str); 3]; 4] =
    [template!("photos_received"), template!("approved"), template!("denied"), template!("credit_eligible")];

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
            })
        };
        // A subject is one line, whatever a name holds.
        let subject = part("subject.txt")?.split_whitespace().collect::<Vec<_>>().join(" ");
        Ok(Rendered { subject, text: part("text.txt")?, html: part("body.html")? })
    }
}

/// A time for people, as `Jun 01, 2016 at 12:00 UTC`. Source: reference 4.6.
fn display_time(at: DateTime<Utc>) -> String {
    at.format("%b %d, %Y at %H:%M UTC").to_string()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn site() -> Site {
        Site {
            platform_name: "Demo & Sons".to_owned(),
            support_email: "help@example.com".to_owned(),
            dashboard_url: "https://learn.example.com/dashboard".to_owned(),
            reverify_url: "https://learn.example.com/verify_student/reverify".to_owned(),
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
        }
    }

    fn render(template: MailTemplate) -> Rendered {
        Renderer::new(site()).and_then(|renderer| renderer.render(template, &facts())).expect("it renders")
    }

    #[test]
    fn every_mail_has_subject_text_and_html_with_names_escaped() {
        for template in [MailTemplate::PhotosReceived, MailTemplate::Approved, MailTemplate::Denied, MailTemplate::CreditEligible]
        {
            let mail = render(template);
            assert!(!mail.subject.is_empty() && !mail.subject.contains('\n'));
            assert!(mail.text.contains("Demo & Sons"), "{}", mail.text);
            assert!(mail.html.contains("Demo &amp; Sons") && !mail.html.contains("<b>Marek"), "{}", mail.html);
        }
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
