//! An operator verifies a learner without photos.

use poem::web::Data;
use poem_openapi::{Object, OpenApi, param::Path, payload::Json};
use vouch_common::{
    domain::{ids::UserId, operator::Order},
    ids::new_receipt,
    operations::grant_verification::{self, Granted},
};

use super::answers::ActProblem;
use crate::{error::Fault, extract::api_key::Operator, state::AppState};

/// Verifications that need no photos.
pub struct Grants;

/// Why a learner is verified by hand.
#[derive(Object)]
#[oai(deny_unknown_fields)]
struct GrantRequest {
    /// Why, for whoever asks later: 1 to 500 characters, one line.
    reason: String,
}

/// The attempt by which the learner is verified.
#[derive(Object)]
struct GrantAnswer {
    /// Its public name.
    receipt_id: String,
    /// `approved`.
    status: String,
}

#[OpenApi]
impl Grants {
    /// Verify a learner without photos
    ///
    /// An attempt without photos is approved at once, under the name that the platform has. No mail goes out.
    /// 409 when the learner is verified already.
    #[oai(path = "/users/:user_id/verifications", method = "post", tag = "super::answers::Tags::Operators")]
    async fn grant(
        &self,
        state: Data<&AppState>,
        key: Operator,
        user_id: Path<i64>,
        request: Json<GrantRequest>,
    ) -> Result<Json<GrantAnswer>, ActProblem> {
        let order = Order::new(key.0.name, &request.0.reason).map_err(|error| Fault::bad_request(error.to_string()))?;
        let days = state.settings().validity.days_good_for;
        let who = (UserId(user_id.0), new_receipt());
        let granted = grant_verification::grant(state.db(), &order, who, days, state.now()).await.map_err(Fault::from)?;
        match granted {
            Granted::Verified(receipt) => {
                Ok(Json(GrantAnswer { receipt_id: receipt.to_string(), status: "approved".to_owned() }))
            }
            Granted::Already(until) => Err(Fault::conflict(format!(
                "This user is verified until {}. Nothing was changed.",
                until.to_rfc3339_opts(chrono::SecondsFormat::Secs, true)
            ))
            .into()),
            Granted::UnknownUser => Err(Fault::not_found("This user is not known.").into()),
        }
    }
}
