//! The documents that the learning platform pushes, and what they mean.

use chrono::{DateTime, SubsecRound, Utc};
use poem_openapi::{
    Object,
    types::{Any, MaybeUndefined, ToJSON},
};
use serde_json::Value;
use vouch_common::{
    domain::{
        course::{
            BlockPlace, CourseMode, CourseUpdate, CreditProvider, CreditRequirement, CreditUpdate, EmbargoUpdate,
            ReverificationBlock,
        },
        ids::UserId,
        keys::UsageKey,
    },
    store::users::User,
};

use crate::error::Fault;

/// Longest text in a document, in characters.
const TEXT_LENGTH_MAX: usize = 255;
/// Longest list in a document.
const LIST_LENGTH_MAX: usize = 1000;

/// A learner.
#[derive(Object)]
pub(super) struct UserDocument {
    /// The user name.
    username: String,
    /// Where mail goes.
    email: String,
    /// The legal name.
    full_name: String,
    /// Whether the account is activated.
    #[oai(default = "yes")]
    is_active: bool,
    /// The country of the profile, as an ISO code.
    country: Option<String>,
}

fn yes() -> bool {
    true
}

/// An enrolment.
#[derive(Object)]
pub(super) struct EnrollmentDocument {
    /// The track.
    pub(super) mode: String,
    /// Whether it holds.
    pub(super) is_active: bool,
}

/// A course. What is absent is left as it is; null removes.
#[derive(Object)]
pub(super) struct CourseDocument {
    /// The course's name; needed when the course is new.
    display_name: Option<String>,
    /// When it starts.
    start: MaybeUndefined<DateTime<Utc>>,
    /// When it ends.
    end: MaybeUndefined<DateTime<Utc>>,
    /// Last moment at which learners may verify.
    verification_deadline: MaybeUndefined<DateTime<Utc>>,
    /// Its tracks.
    modes: MaybeUndefined<Vec<ModeDocument>>,
    /// Its checkpoints.
    reverification_blocks: MaybeUndefined<Vec<BlockDocument>>,
    /// Its way to credit.
    credit: MaybeUndefined<CreditDocument>,
    /// Where it may not be taken.
    embargo: MaybeUndefined<EmbargoDocument>,
}

/// A track of a course.
#[derive(Object)]
struct ModeDocument {
    /// `audit`, `honor`, `verified`, `professional`, `no-id-professional` or `credit`.
    slug: String,
    /// What learners read.
    display_name: Option<String>,
    /// Price in whole units of the currency.
    #[oai(default)]
    min_price: i64,
    /// ISO code.
    #[oai(default = "usd")]
    currency: String,
    /// The shop's product.
    sku: Option<String>,
    /// The upgrade deadline.
    expires_at: Option<DateTime<Utc>>,
}

fn usd() -> String {
    "usd".to_owned()
}

/// A block in which learners re-verify.
#[derive(Object)]
struct BlockDocument {
    /// Where it is.
    usage: String,
    /// The assessment that it guards.
    related_assessment: Option<String>,
    /// How many attempts it allows.
    #[oai(default)]
    attempts: i32,
    /// When it closes.
    due: Option<DateTime<Utc>>,
    /// Its chapter in the courseware.
    chapter: Option<String>,
    /// Its section.
    section: Option<String>,
    /// Its position: text or number.
    position: Option<Any<Value>>,
}

/// A course's way to credit.
#[derive(Object)]
struct CreditDocument {
    /// Whether credit can be earned; true in a course of which no credit was told before.
    enabled: Option<bool>,
    /// What it takes, in order.
    requirements: MaybeUndefined<Vec<RequirementDocument>>,
    /// Who gives it, in order.
    providers: MaybeUndefined<Vec<ProviderDocument>>,
}

/// One requirement for credit.
#[derive(Object)]
struct RequirementDocument {
    /// Its namespace, such as `reverification`; needed.
    namespace: Option<String>,
    /// Its name in the namespace, needed; for a checkpoint, the usage key.
    name: Option<String>,
    /// What learners read; needed.
    display_name: Option<String>,
    /// What it takes; needed.
    criteria: Option<Any<Value>>,
}

/// Who gives credit.
#[derive(Object)]
struct ProviderDocument {
    /// The provider's id.
    id: String,
    /// What learners read.
    display_name: String,
}

/// Where a course may not be taken.
#[derive(Object)]
struct EmbargoDocument {
    /// Whether the rules hold at all.
    restricted: bool,
    /// Which message a blocked learner sees.
    message_key: Option<String>,
    /// Only these countries, unless empty; ISO codes of two letters.
    whitelist: MaybeUndefined<Vec<String>>,
    /// Not these countries.
    blacklist: MaybeUndefined<Vec<String>>,
}

/// A country as ISO 3166-1 has it, in capitals.
fn read_country(text: &str) -> Result<String, Fault> {
    let is_code = text.len() == 2 && text.chars().all(|letter| letter.is_ascii_alphabetic());
    if is_code { Ok(text.to_ascii_uppercase()) } else { Err(Fault::bad_request("A country must be an ISO code of two letters.")) }
}

/// A text of bounded length without control characters.
pub(super) fn text(field: &str, text: &str) -> Result<String, Fault> {
    let is_sound = !text.is_empty() && text.chars().count() <= TEXT_LENGTH_MAX && !text.chars().any(char::is_control);
    if is_sound {
        Ok(text.to_owned())
    } else {
        Err(Fault::bad_request(format!("{field} must have 1 to {TEXT_LENGTH_MAX} printable characters.")))
    }
}

fn optional(field: &str, value: Option<String>) -> Result<Option<String>, Fault> {
    value.filter(|value| !value.is_empty()).map(|value| text(field, &value)).transpose()
}

/// Absent, removed, or there.
fn told<T>(value: MaybeUndefined<T>) -> Option<Option<T>> {
    match value {
        MaybeUndefined::Undefined => None,
        MaybeUndefined::Null => Some(None),
        MaybeUndefined::Value(value) => Some(Some(value)),
    }
}

/// A moment as it is kept, to the microsecond, so that the same document says the same again.
fn moment(value: MaybeUndefined<DateTime<Utc>>) -> Option<Option<DateTime<Utc>>> {
    told(value).map(|at| at.map(|at| at.trunc_subsecs(6)))
}

/// A list of which null means empty.
fn list<D, T>(field: &str, value: MaybeUndefined<Vec<D>>, read: impl Fn(D) -> Result<T, Fault>) -> Result<Option<Vec<T>>, Fault> {
    let Some(items) = told(value) else { return Ok(None) };
    let items = items.unwrap_or_default();
    if items.len() > LIST_LENGTH_MAX {
        return Err(Fault::bad_request(format!("{field} must not have more than {LIST_LENGTH_MAX} entries.")));
    }
    items.into_iter().map(read).collect::<Result<Vec<T>, Fault>>().map(Some)
}

impl UserDocument {
    pub(super) fn into_user(self, id: UserId) -> Result<User, Fault> {
        Ok(User {
            id,
            username: text("username", &self.username)?,
            email: text("email", &self.email)?,
            full_name: text("full_name", &self.full_name)?,
            is_active: self.is_active,
            country: optional("country", self.country)?.map(|code| read_country(&code)).transpose()?,
        })
    }
}

impl CourseDocument {
    pub(super) fn into_update(self) -> Result<CourseUpdate, Fault> {
        let credit = match told(self.credit) {
            Some(Some(credit)) => Some(Some(credit.into_update()?)),
            Some(None) => Some(None),
            None => None,
        };
        Ok(CourseUpdate {
            display_name: self.display_name.map(|name| text("display_name", &name)).transpose()?,
            starts_at: told(self.start),
            ends_at: moment(self.end),
            verification_deadline: moment(self.verification_deadline),
            modes: list("modes", self.modes, ModeDocument::into_mode)?,
            reverification_blocks: list("reverification_blocks", self.reverification_blocks, BlockDocument::into_block)?,
            credit,
            embargo: told(self.embargo).map(|embargo| embargo.map(EmbargoDocument::into_embargo).transpose()).transpose()?,
        })
    }
}

impl ModeDocument {
    fn into_mode(self) -> Result<CourseMode, Fault> {
        Ok(CourseMode {
            display_name: optional("display_name", self.display_name)?.unwrap_or_else(|| self.slug.clone()),
            slug: text("slug", &self.slug)?,
            min_price: self.min_price,
            currency: text("currency", &self.currency)?,
            sku: optional("sku", self.sku)?,
            expires_at: self.expires_at,
        })
    }
}

impl BlockDocument {
    fn into_block(self) -> Result<ReverificationBlock, Fault> {
        let position = match self.position.map(|Any(value)| value) {
            None | Some(Value::Null) => None,
            Some(Value::String(text)) => Some(text),
            Some(Value::Number(number)) => Some(number.to_string()),
            Some(Value::Bool(_) | Value::Array(_) | Value::Object(_)) => {
                return Err(Fault::bad_request("position must be a text or a number."));
            }
        };
        Ok(ReverificationBlock {
            usage: UsageKey::parse(&self.usage).ok_or_else(|| Fault::bad_request("usage must be a usage key."))?,
            related_assessment: optional("related_assessment", self.related_assessment)?
                .unwrap_or_else(|| "Assessment 1".to_owned()),
            attempts: self.attempts,
            due: self.due,
            place: BlockPlace {
                chapter: optional("chapter", self.chapter)?,
                section: optional("section", self.section)?,
                position: optional("position", position)?,
            },
        })
    }
}

impl CreditDocument {
    fn into_update(self) -> Result<CreditUpdate, Fault> {
        Ok(CreditUpdate {
            is_enabled: self.enabled,
            requirements: list("requirements", self.requirements, RequirementDocument::into_requirement)?,
            providers: list("providers", self.providers, |item| {
                Ok(CreditProvider { id: text("id", &item.id)?, display_name: text("display_name", &item.display_name)? })
            })?,
        })
    }
}

impl RequirementDocument {
    /// Source: reference 8.3, InvalidCreditRequirements.
    fn into_requirement(self) -> Result<CreditRequirement, Fault> {
        let is_there = |text: &Option<String>| text.as_ref().is_some_and(|text| !text.is_empty());
        let parts = [
            ("namespace", is_there(&self.namespace)),
            ("name", is_there(&self.name)),
            ("display_name", is_there(&self.display_name)),
            ("criteria", self.criteria.is_some()),
        ];
        let missing: Vec<&str> = parts.iter().filter(|(_, is_there)| !is_there).map(|(name, _)| *name).collect();
        let (Some(namespace), Some(name), Some(display_name), Some(criteria), true) =
            (&self.namespace, &self.name, &self.display_name, &self.criteria, missing.is_empty())
        else {
            let item = self.to_json_string();
            return Err(Fault::bad_request(format!("{item} has missing/invalid parameters: [{}]", missing.join(", "))));
        };
        Ok(CreditRequirement {
            namespace: text("namespace", namespace)?,
            name: text("name", name)?,
            display_name: text("display_name", display_name)?,
            criteria: criteria.0.clone(),
        })
    }
}

impl EmbargoDocument {
    fn into_embargo(self) -> Result<EmbargoUpdate, Fault> {
        Ok(EmbargoUpdate {
            is_restricted: self.restricted,
            message_key: optional("message_key", self.message_key)?,
            whitelist: list("whitelist", self.whitelist, |country| read_country(&country))?,
            blacklist: list("blacklist", self.blacklist, |country| read_country(&country))?,
        })
    }
}
