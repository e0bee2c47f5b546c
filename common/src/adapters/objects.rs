//! The object store: a local folder, or anything that speaks S3. The vendor downloads by signed URL.

use std::{sync::Arc, time::Duration};

use bytes::Bytes;
use chrono::{DateTime, Utc};
use futures_util::{StreamExt, TryStreamExt, stream::BoxStream};
use object_store::{
    ObjectStore, ObjectStoreExt, PutPayload,
    aws::{AmazonS3, AmazonS3Builder},
    local::LocalFileSystem,
    path::Path,
    prefix::PrefixStore,
    signer::Signer,
};
use url::Url;

use crate::photos::{keys::MasterKeys, names};
use crate::secret::Secret;

/// How long a signed URL holds. Source: reference 1.1 (432,000 s).
pub const LINK_LIFETIME: Duration = Duration::from_hours(5 * 24);
/// The purpose under which the keys of links are derived from the master keys.
const LINK_KEYS: &str = "vouch/photo-links/1";
/// How long one call to the store may take.
const CALL_TIMEOUT: Duration = Duration::from_secs(30);

/// The object store.
#[derive(Clone)]
pub struct Objects {
    store: Arc<dyn ObjectStore>,
    links: Links,
}

/// Who signs the vendor's URLs.
#[derive(Clone)]
enum Links {
    /// The store itself; objects lie below this prefix.
    Presigned { store: Arc<AmazonS3>, prefix: Path },
    /// The api, which serves the folder's objects.
    Served { public_url: Url, keys: Arc<Vec<Secret>> },
}

/// What can go wrong with the store. Names of objects are ids, so they may be told.
#[derive(Debug, thiserror::Error)]
pub enum ObjectsError {
    /// The address of the store can't be used.
    #[error("the storage address can't be used: {0}")]
    Address(&'static str),
    /// The store could not be set up.
    #[error("the storage can't be set up")]
    SetUp(#[source] object_store::Error),
    /// There is no such object.
    #[error("the object {0} does not exist")]
    Missing(String),
    /// The store does not answer, is full, or is read-only; try again later.
    #[error("the storage failed at {0}")]
    Failed(&'static str, #[source] object_store::Error),
    /// The store took too long; try again later.
    #[error("the storage took too long at {0}")]
    TimedOut(&'static str),
}

/// An object in a listing.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Listed {
    /// Its name.
    pub name: String,
    /// When it was stored (UTC).
    pub stored_at: DateTime<Utc>,
}

impl Objects {
    /// Opens the store at `file:///folder` or `s3://bucket/prefix` (with the usual `AWS_*` variables).
    ///
    /// The URLs of a folder's objects start with `public_url` and are signed with keys derived from the
    /// master keys: the current one signs, all verify.
    ///
    /// # Errors
    ///
    /// When the address can't be used.
    pub fn open(address: &Url, public_url: &Url, master_keys: &MasterKeys) -> Result<Self, ObjectsError> {
        match address.scheme() {
            "file" => {
                let folder = address.to_file_path().map_err(|()| ObjectsError::Address("it is no local folder"))?;
                std::fs::create_dir_all(&folder).map_err(|cause| {
                    ObjectsError::SetUp(object_store::Error::Generic { store: "folder", source: Box::new(cause) })
                })?;
                let store = LocalFileSystem::new_with_prefix(folder).map_err(ObjectsError::SetUp)?.with_fsync(true);
                let keys = Arc::new(master_keys.derive(LINK_KEYS));
                let links = Links::Served { public_url: public_url.clone(), keys };
                Ok(Self { store: Arc::new(store), links })
            }
            "s3" => {
                let bucket = address.host_str().ok_or(ObjectsError::Address("it names no bucket"))?;
                let store = AmazonS3Builder::from_env().with_bucket_name(bucket).build().map_err(ObjectsError::SetUp)?;
                let prefix = Path::from(address.path());
                let store = Arc::new(store);
                let links = Links::Presigned { store: Arc::clone(&store), prefix: prefix.clone() };
                Ok(Self { store: Arc::new(PrefixStore::new(store, prefix)), links })
            }
            _ => Err(ObjectsError::Address("it starts neither with file:// nor with s3://")),
        }
    }

    /// Stores an object; one of that name is replaced as a whole.
    ///
    /// # Errors
    ///
    /// When the store failed; nothing of the object can be read then.
    pub async fn put(&self, name: &str, bytes: Bytes) -> Result<(), ObjectsError> {
        let path = Path::from(name);
        within("put", self.store.put(&path, PutPayload::from_bytes(bytes))).await.map(|_| ())
    }

    /// Reads an object.
    ///
    /// # Errors
    ///
    /// [`ObjectsError::Missing`] when there is none.
    pub async fn get(&self, name: &str) -> Result<Bytes, ObjectsError> {
        let path = Path::parse(name).map_err(|_| ObjectsError::Missing(name.to_owned()))?;
        let read = async { self.store.get(&path).await?.bytes().await };
        within("get", read).await
    }

    /// Deletes an object; one that is gone already is no fault.
    ///
    /// # Errors
    ///
    /// When the store failed.
    pub async fn delete(&self, name: &str) -> Result<(), ObjectsError> {
        let path = Path::parse(name).map_err(|_| ObjectsError::Missing(name.to_owned()))?;
        match within("delete", self.store.delete(&path)).await {
            Err(ObjectsError::Missing(_)) => Ok(()),
            other => other,
        }
    }

    /// Lists the objects of a folder, in no order.
    #[must_use]
    pub fn list(&self, folder: &str) -> BoxStream<'static, Result<Listed, ObjectsError>> {
        self.store
            .list(Some(&Path::from(folder)))
            .map_ok(|meta| Listed { name: meta.location.to_string(), stored_at: meta.last_modified })
            .map_err(|cause| ObjectsError::Failed("list", cause))
            .boxed()
    }

    /// Whether the store answers.
    ///
    /// # Errors
    ///
    /// When it does not.
    pub async fn check(&self) -> Result<(), ObjectsError> {
        let look = async { self.store.list(Some(&Path::from("ready"))).next().await.transpose() };
        within("check", look).await.map(|_| ())
    }

    /// A URL by which the vendor downloads an object, from `now` for [`LINK_LIFETIME`].
    ///
    /// # Errors
    ///
    /// When the store can't sign.
    pub async fn link(&self, name: &str, now: DateTime<Utc>) -> Result<Url, ObjectsError> {
        match &self.links {
            Links::Presigned { store, prefix } => {
                let path: Path = prefix.parts().chain(Path::from(name).parts()).collect();
                within("sign", store.signed_url("GET".parse().unwrap_or_default(), &path, LINK_LIFETIME)).await
            }
            Links::Served { public_url, keys } => {
                let expires = now.timestamp() + i64::try_from(LINK_LIFETIME.as_secs()).unwrap_or(i64::MAX);
                let key = keys.first().ok_or(ObjectsError::Address("no key signs its URLs"))?;
                let mut url = public_url.clone();
                url.set_path(&format!("{}/photos/{name}", public_url.path().trim_end_matches('/')));
                url.query_pairs_mut()
                    .append_pair("expires", &expires.to_string())
                    .append_pair("signature", &hex::encode(signature(key, name, expires)));
                Ok(url)
            }
        }
    }

    /// Whether a request for a folder's object carries our signature and is in time. The signature is
    /// compared in constant time, with every live key.
    #[must_use]
    pub fn is_link_valid(&self, name: &str, expires: &str, offered: &str, now: DateTime<Utc>) -> bool {
        use subtle::ConstantTimeEq;
        let Links::Served { keys, .. } = &self.links else { return false };
        let (Ok(expires), Ok(offered)) = (expires.parse::<i64>(), hex::decode(offered)) else { return false };
        let is_signed = keys.iter().fold(subtle::Choice::from(0), |found, key| {
            found | signature(key, name, expires).as_slice().ct_eq(offered.as_slice())
        });
        bool::from(is_signed) && now.timestamp() < expires && names::is_for_vendor(name)
    }
}

fn signature(key: &Secret, name: &str, expires: i64) -> Vec<u8> {
    use hmac::{Hmac, KeyInit, Mac};
    let Ok(mut mac) = Hmac::<sha2::Sha256>::new_from_slice(key.expose()) else { return Vec::new() };
    mac.update(format!("GET\n{name}\n{expires}").as_bytes());
    mac.finalize().into_bytes().to_vec()
}

async fn within<T>(step: &'static str, call: impl Future<Output = object_store::Result<T>>) -> Result<T, ObjectsError> {
    match tokio::time::timeout(CALL_TIMEOUT, call).await {
        Ok(Ok(done)) => Ok(done),
        Ok(Err(object_store::Error::NotFound { path, .. })) => Err(ObjectsError::Missing(path)),
        Ok(Err(cause)) => Err(ObjectsError::Failed(step, cause)),
        Err(_) => Err(ObjectsError::TimedOut(step)),
    }
}
