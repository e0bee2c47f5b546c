//! The erasure of a learner: asked for once, and its receipt.

use poem::web::Data;
use poem_openapi::{ApiResponse, Object, OpenApi, param::Path, payload::Json};
use vouch_common::{
    domain::{
        ids::{ErasureId, UserId},
        operator::Order,
    },
    ids::new_uuid,
    operations::start_erasure::{self, Started},
};

use super::{acting::told, answers::ActProblem};
use crate::{error::Fault, extract::api_key::Admin, state::AppState};

/// Erases learners.
pub struct Erasures;

/// Why a learner is erased.
#[derive(Object)]
#[oai(deny_unknown_fields)]
struct ErasureRequest {
    /// Why, for whoever asks later: 1 to 500 characters, one line. It is kept, so it must not name the learner.
    reason: String,
}

/// An erasure that goes on by itself.
#[derive(Object)]
struct ErasureStarted {
    /// Its name; read the receipt under it.
    erasure_id: String,
}

/// It goes on.
#[derive(ApiResponse)]
enum Accepted {
    /// It has begun, or had begun before: the same one is told then.
    #[oai(status = 202)]
    Started(Json<ErasureStarted>),
}

/// How an erasure stands.
#[derive(Object)]
struct ErasureAnswer {
    /// Its name.
    erasure_id: String,
    /// The learner's number.
    user_id: i64,
    /// `running` or `done`.
    status: String,
    /// The name of the key that was used.
    requested_by: String,
    /// When it was asked for.
    requested_at: String,
    /// When it was done.
    finished_at: Option<String>,
    /// What was erased, as the text that is signed; nothing in it is personal.
    receipt: Option<String>,
    /// The signature (Ed25519) over the bytes of `receipt`, in base64.
    signature: Option<String>,
    /// The key that proves it, in base64.
    public_key: Option<String>,
}

#[OpenApi]
impl Erasures {
    /// Erase a learner
    ///
    /// For good: names, addresses, photos and their keys, callbacks and reasons go, open attempts are ended; receipts,
    /// states and dates stay. A worker does it. Asked again, the same erasure is told. From now on nothing about the
    /// learner is kept, whoever pushes or sends it: that is answered with 410. 409 without `VOUCH_ERASURE_KEY`.
    #[oai(path = "/users/:user_id/erasure", method = "post", tag = "super::answers::Tags::Operators")]
    async fn erase(
        &self,
        state: Data<&AppState>,
        key: Admin,
        user_id: Path<i64>,
        request: Json<ErasureRequest>,
    ) -> Result<Accepted, ActProblem> {
        let order = Order::new(key.0.name, &request.0.reason).map_err(Fault::from)?;
        if state.settings().receipt_key.is_none() {
            return Err(
                Fault::conflict("VOUCH_ERASURE_KEY is not set, so no receipt could be signed. Nothing was changed.").into()
            );
        }
        let who = (UserId(user_id.0), ErasureId(new_uuid()));
        let id = match start_erasure::start(state.db(), &order, who, state.now()).await.map_err(Fault::from)? {
            Started::Now(id) => {
                told(&state, &order, "user.erase", &user_id.0.to_string());
                id
            }
            Started::Before(id) => id,
            Started::UnknownUser => return Err(Fault::not_found("This user is not known. Nothing was changed.").into()),
        };
        Ok(Accepted::Started(Json(ErasureStarted { erasure_id: id.to_string() })))
    }

    /// How an erasure stands, with its receipt
    #[oai(path = "/erasures/:erasure_id", method = "get", tag = "super::answers::Tags::Operators")]
    async fn show(
        &self,
        state: Data<&AppState>,
        _key: Admin,
        erasure_id: Path<String>,
    ) -> Result<Json<ErasureAnswer>, ActProblem> {
        let unknown = || Fault::not_found("There is no erasure of that name.");
        let id = ErasureId::parse(&erasure_id.0).ok_or_else(unknown)?;
        let erasure = start_erasure::find(state.db(), id).await.map_err(Fault::from)?.ok_or_else(unknown)?;
        let text = |at: chrono::DateTime<chrono::Utc>| at.to_rfc3339_opts(chrono::SecondsFormat::Secs, true);
        let status = if erasure.finished_at.is_some() { "done" } else { "running" };
        let (receipt, signature, public_key) = erasure
            .signed
            .map_or((None, None, None), |signed| (Some(signed.receipt), Some(signed.signature), Some(signed.public_key)));
        Ok(Json(ErasureAnswer {
            erasure_id: id.to_string(),
            user_id: erasure.user.0,
            status: status.to_owned(),
            requested_by: erasure.requested_by,
            requested_at: text(erasure.requested_at),
            finished_at: erasure.finished_at.map(text),
            receipt,
            signature,
            public_key,
        }))
    }
}
