//! The demo: two real photos become an approved attempt, a satisfied credit requirement and a mail; a bad
//! one is refused with a reason. It fails loudly if any of that does not arrive.

use std::{cell::Cell, path::Path, time::Duration};

use anyhow::{Context, Result, bail};
use serde_json::{Value, json};

use super::{
    World,
    api::{data_url, percent},
    show::Steps,
};
use crate::show::timeline::event_line;

/// How long any step may take to arrive.
const ARRIVAL_TIMEOUT: Duration = Duration::from_mins(1);
/// How often it looks.
const LOOK_INTERVAL: Duration = Duration::from_millis(50);

const COURSE: &str = "course-v1:Demo+Identity101+2026";
const USAGE: &str = "block-v1:Demo+Identity101+2026+type@edx-reverification-block+block@midterm";
/// The learner of the sample ID card.
const LEARNER: i64 = 1001;

/// Shows the whole way.
///
/// # Errors
///
/// When a step does not arrive.
pub async fn run(world: &World, photos: &Path, steps: &Steps) -> Result<()> {
    let demo = Demo { world, steps };
    demo.push_platform_facts().await?;
    demo.good_photos(photos).await?;
    demo.bad_photo(photos).await
}

struct Demo<'a> {
    world: &'a World,
    steps: &'a Steps,
}

impl Demo<'_> {
    /// What a learning platform would push.
    async fn push_platform_facts(&self) -> Result<()> {
        self.steps.heading("The learning platform tells of a learner and a course");
        let course = percent(COURSE);
        let learner = json!({ "username": "sofia", "email": "sofia@example.com", "full_name": "Sofia Marek", "is_active": true });
        self.world.api.put(&format!("users/{LEARNER}"), &learner).await?;
        let document = json!({
            "display_name": "Identity 101",
            "modes": [{ "slug": "verified", "display_name": "Verified Certificate", "min_price": 49, "currency": "usd" }],
            "reverification_blocks": [{ "usage": USAGE, "related_assessment": "Midterm", "attempts": 2,
                                        "chapter": "week3", "section": "exam", "position": "1" }],
            "credit": { "enabled": true,
                        "requirements": [{ "namespace": "reverification", "name": USAGE, "display_name": "Midterm identity", "criteria": {} }],
                        "providers": [{ "id": "utopia", "display_name": "Utopia State University" }] },
        });
        self.world.api.put(&format!("courses/{course}"), &document).await?;
        self.world
            .api
            .put(&format!("users/{LEARNER}/enrollments/{course}"), &json!({ "mode": "verified", "is_active": true }))
            .await?;
        self.steps.done("Sofia Marek is enrolled in Identity 101, whose midterm asks for her identity");
        Ok(())
    }

    async fn good_photos(&self, photos: &Path) -> Result<()> {
        self.steps.heading("Sofia sends a photo of her face and of her ID");
        let receipt = self.submit(&photos.join("good/face-exif-rotated-gps.jpg"), &photos.join("good/id.jpg")).await?;
        self.follow(&receipt, "approved").await?;
        let credit = self.wait_for("credit", || async {
            let credit = self.world.api.get(&format!("users/{LEARNER}/credit/{}", percent(COURSE))).await?;
            Ok((credit["eligible"] == json!(true)).then_some(credit))
        });
        let credit = credit.await?;
        self.steps.done(&format!(
            "Credit requirement \"{}\" is {}; Sofia is eligible until {}",
            credit["requirements"][0]["display_name"].as_str().unwrap_or_default(),
            credit["requirements"][0]["status"].as_str().unwrap_or_default(),
            credit["deadline"].as_str().unwrap_or_default(),
        ));
        self.show_mails(3).await
    }

    async fn bad_photo(&self, photos: &Path) -> Result<()> {
        self.steps.heading("A photo that is all black is refused, with a reason");
        let receipt = self.submit(&photos.join("bad/black.jpg"), &photos.join("good/id.jpg")).await?;
        let attempt = self.follow(&receipt, "denied").await?;
        let reason = attempt["reasons"][0].as_str().context("the denial has no reason")?;
        self.steps.done(&format!("The learner reads: {reason}"));
        Ok(())
    }

    async fn submit(&self, face: &Path, photo_id: &Path) -> Result<String> {
        let form = json!({ "face_image": read(face)?, "photo_id_image": read(photo_id)?,
                           "course_key": COURSE, "checkpoint": USAGE });
        let receipt = self.world.api.submit(LEARNER, &form).await?;
        self.steps.done(&format!("Accepted: receipt {receipt}"));
        Ok(receipt)
    }

    /// Tells an attempt's history as it grows, until it ends as wished.
    async fn follow(&self, receipt: &str, wished: &str) -> Result<Value> {
        let told = Cell::new(0);
        let look = || async {
            let attempt = self.world.api.get(&format!("attempts/{receipt}")).await?;
            let events = attempt["events"].as_array().cloned().unwrap_or_default();
            for event in events.iter().skip(told.replace(events.len())) {
                self.steps.tell(event_line(event).trim());
            }
            let status = attempt["status"].as_str().unwrap_or_default();
            if ["approved", "denied"].contains(&status) && status != wished {
                bail!("the attempt ended {status} instead of {wished}");
            }
            Ok((status == wished).then_some(attempt))
        };
        let attempt = self.wait_for(wished, look).await?;
        self.steps.done(&format!("The attempt is {wished}"));
        Ok(attempt)
    }

    async fn show_mails(&self, count: usize) -> Result<()> {
        let mails = tokio::time::timeout(ARRIVAL_TIMEOUT, self.world.mail.wait_until(|mails| mails.len() >= count));
        let mails = mails.await.context("the mails did not arrive")?;
        for mail in &mails {
            self.steps.done(&format!("Mail to {}: {}", mail.to.join(", "), mail.subject));
        }
        let approval = mails.iter().find(|mail| mail.subject.contains("approved")).context("no mail tells of the approval")?;
        for line in approval.text.lines() {
            println!("          | {line}");
        }
        Ok(())
    }

    async fn wait_for<T, F: Future<Output = Result<Option<T>>>>(&self, what: &str, look: impl Fn() -> F) -> Result<T> {
        let waiting = async {
            loop {
                if let Some(found) = look().await? {
                    return Ok(found);
                }
                tokio::time::sleep(LOOK_INTERVAL).await;
            }
        };
        match tokio::time::timeout(ARRIVAL_TIMEOUT, waiting).await {
            Ok(found) => found,
            Err(_) => bail!("{what} did not arrive within {ARRIVAL_TIMEOUT:?}"),
        }
    }
}

fn read(photo: &Path) -> Result<String> {
    Ok(data_url(&std::fs::read(photo).with_context(|| format!("{} can't be read", photo.display()))?))
}
