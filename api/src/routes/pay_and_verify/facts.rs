//! What the page tells: the data attributes of reference 4.6, without `data-` and with `_`.

use poem::Request;
use serde_json::{Map, Value, json};
use vouch_common::{
    domain::{
        course::path_segment,
        keys::CourseKey,
        order,
        pay_and_verify::{FlowPage, Message, Missed},
        times, verification,
    },
    operations::load_flow::Flow,
    payment::cybersource::PROCESSOR_NAME,
    store::flow::Choice,
    telemetry::chain,
};

use crate::{adapters::ecommerce::Claims, state::AppState};

/// Everything that the page is made of.
pub(super) struct Shown<'a> {
    pub(super) request: &'a Request,
    pub(super) state: &'a AppState,
    pub(super) course: &'a CourseKey,
    pub(super) flow: &'a Flow,
    pub(super) choice: &'a Choice,
    pub(super) page: &'a FlowPage,
    pub(super) message: Message,
}

impl Shown<'_> {
    /// The page's facts; `checkpoint` is there when the address names one, `payment` when the learner comes back
    /// from a payment page without having paid.
    pub(super) async fn facts(&self, checkpoint: Option<String>, payment: Option<&str>) -> Map<String, Value> {
        let mut facts = object(self.of_course());
        facts.extend(object(self.of_learner()));
        facts.extend(object(self.of_steps()));
        let processors = self.processors().await;
        facts.insert("processors_available".to_owned(), processors.is_some().into());
        facts.insert("processors".to_owned(), processors.unwrap_or_default().into());
        if let Some(payment) = payment {
            facts.insert("payment".to_owned(), payment.into());
        }
        if let Some(checkpoint) = checkpoint {
            facts.insert("checkpoint_location".to_owned(), checkpoint.into());
        }
        facts
    }

    fn of_course(&self) -> Value {
        let (course, mode) = (&self.flow.course, &self.page.mode);
        let has_started = course.starts_at.is_none_or(|at| at <= self.state.now());
        let courseware = format!("{}/{}/", self.state.settings().courseware_url, path_segment(self.course));
        json!({
            "title": self.message.title(&course.display_name),
            "course_key": self.course.as_str(),
            "course_name": course.display_name,
            "course_start_date": course.starts_at.map(times::day).unwrap_or_default(),
            "courseware_url": if has_started { courseware } else { String::new() },
            "course_mode_name": mode.display_name,
            "course_mode_slug": mode.slug,
            "course_mode_min_price": mode.min_price,
            "course_mode_sku": mode.sku.as_deref().unwrap_or_default(),
            "course_mode_suggested_prices": "",
            "course_mode_currency": mode.currency,
            "verification_deadline": course.verification_deadline.map(times::moment).unwrap_or_default(),
        })
    }

    fn of_learner(&self) -> Value {
        let validity = self.state.settings().validity;
        let learner = self.flow.learner.as_ref();
        let newest = verification::valid_or_pending(&self.flow.attempts, self.state.now(), validity);
        let good_until = newest.map(|attempt| times::day_in_figures(attempt.expires_at(validity.days_good_for)));
        json!({
            "full_name": learner.map(|learner| learner.full_name.as_str()).unwrap_or_default(),
            "is_active": learner.is_none_or(|learner| learner.is_active),
            "contribution_amount": self.choice.contribution.as_deref().unwrap_or_default(),
            "amount_to_pay": order::amount_to_pay(&self.page.mode, self.choice.contribution.as_deref()).to_string(),
            "attempting_upgrade": self.choice.is_upgrade,
            "already_verified": self.page.is_already_verified,
            "verification_good_until": good_until.unwrap_or_default(),
        })
    }

    fn of_steps(&self) -> Value {
        let steps: Vec<Value> =
            self.page.steps.iter().map(|step| json!({ "name": step.as_str(), "title": step.title() })).collect();
        let needs = self.page.requirements;
        json!({
            "display_steps": steps,
            "current_step": self.page.current.as_str(),
            "requirements": {
                "account-activation-required": needs.account_activation_required,
                "photo-id-required": needs.photo_id_required,
                "webcam-required": needs.webcam_required,
            },
            "msg_key": self.message.as_str(),
            "is_ab_testing": self.request.original_uri().path().contains("begin-flow"),
        })
    }

    /// How the learner can pay; `None`: the shop can't be asked just now, and the page says so.
    async fn processors(&self) -> Option<Vec<String>> {
        let is_sold_by_shop = self.page.mode.sku.as_ref().is_some_and(|sku| !sku.is_empty());
        if !is_sold_by_shop {
            let own = self.state.settings().shop.cybersource.as_ref();
            return Some(own.map(|_| PROCESSOR_NAME.to_owned()).into_iter().collect());
        }
        let (shop, learner) = (self.state.ecommerce()?, self.flow.learner.as_ref()?);
        let claims = Claims::of_visit(self.request, learner);
        match shop.processors(&claims, || self.state.now()).await {
            Ok(names) => Some(names),
            Err(error) => {
                tracing::warn!(error = %chain(&error), "the shop could not say how learners can pay; the page opens without");
                None
            }
        }
    }
}

/// What the page of a missed deadline tells.
pub(super) fn missed(missed: Missed, flow: &Flow) -> Map<String, Value> {
    let (kind, deadline) = match missed {
        Missed::Verification(at) => ("verification", times::moment(at)),
        Missed::Upgrade(at) => ("upgrade", times::moment(at)),
    };
    object(json!({ "kind": kind, "course_name": flow.course.display_name, "deadline": deadline, "title": missed.title() }))
}

fn object(value: Value) -> Map<String, Value> {
    match value {
        Value::Object(map) => map,
        Value::Null | Value::Bool(_) | Value::Number(_) | Value::String(_) | Value::Array(_) => Map::new(),
    }
}
