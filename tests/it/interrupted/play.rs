//! One thing that is done once, twice, and stopped between any two of its steps on the database and begun again.

use futures_util::future::LocalBoxFuture;
use reqwest::{Method, RequestBuilder};
use serde_json::Value;
use vouch_tests::{API_KEY, wait_for};

use super::{
    outcome::assert_alike,
    world::{Cut, Side, World},
};

/// Cuts at which nothing may need more requests; a bound for the loop alone.
const CUTS_MAX: u64 = 120;

/// What was said of it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) enum Told {
    Done,
    /// It does not fit any more.
    Refused(String),
    /// Nobody knows whether it was done.
    Unknown(String),
}

/// Whether doing it again does it again.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Again {
    IsOnce,
    /// By its nature, and the caller is told so: once or twice are right when nobody knows.
    IsTwice,
}

/// How it is done: on one side, once.
pub(super) type Act = Box<dyn for<'a> Fn(&'a World, &'a Side) -> LocalBoxFuture<'a, Told>>;

/// A thing to be done.
pub(super) struct Play {
    /// Its name in a failure.
    pub(super) name: String,
    pub(super) act: Act,
    /// How it is done again when nobody knows whether it was done; as the first time when there is no other way.
    pub(super) repeat: Option<Act>,
    pub(super) again: Again,
}

impl Play {
    /// Does it once, twice, and cut at each step and again; the outcome must be that of once.
    pub(super) async fn holds(&self, world: &World) {
        let name = &self.name;
        world.restore().await;
        let mark = world.mark();
        let before = world.outcome(mark).await;
        let told = (self.act)(world, &world.direct).await;
        assert_eq!(told, Told::Done, "{name}");
        let once = world.outcome(mark).await;
        assert_ne!(once, before, "{name} does nothing");
        let told = (self.act)(world, &world.direct).await;
        assert!(!matches!(told, Told::Unknown(_)), "{name}, a second time: {told:?}");
        let twice = world.outcome(mark).await;
        match self.again {
            Again::IsOnce => assert_alike(&twice, &[&once], &format!("{name}, twice")),
            Again::IsTwice => assert_ne!(twice, once, "{name} is once"),
        }
        for row in Cut::rows() {
            let mut number = 0;
            while self.was_cut(world, row(number), (&once, &twice)).await {
                number += 1;
                assert!(number < CUTS_MAX, "{name} asks the database without end");
            }
            assert!(number > 0, "{name} was never stopped");
        }
    }

    /// Does it with a cut, and again if nobody knows whether it was done; `false` when the cut never came.
    async fn was_cut(&self, world: &World, cut: Cut, (once, twice): (&Value, &Value)) -> bool {
        let what = format!("{}, {cut:?}", self.name);
        world.restore().await;
        let mark = world.mark();
        world.plan(cut);
        let told = (self.act)(world, &world.cut).await;
        let is_through = world.came_through();
        let mut right = vec![once];
        match told {
            Told::Done => {}
            Told::Refused(why) => panic!("{what}: {why}"),
            Told::Unknown(why) => {
                assert!(!is_through, "{what}: {why}");
                if self.again == Again::IsTwice {
                    right.push(twice);
                }
                // Who was cut off may hold its locks a moment longer.
                world.quiet().await;
                let repeat = self.repeat.as_ref().unwrap_or(&self.act);
                wait_for("the second try to come through", async || {
                    (!matches!(repeat(world, &world.direct).await, Told::Unknown(_))).then_some(())
                })
                .await;
            }
        }
        assert_alike(&world.outcome(mark).await, &right, &what);
        !is_through
    }
}

/// A thing that is done with one request.
pub(super) fn request(name: &str, again: Again, make: impl Fn(&World, &str) -> RequestBuilder + 'static) -> Play {
    let act: Act = Box::new(move |world, side| {
        let request = make(world, &side.url);
        Box::pin(async move { said(request).await })
    });
    Play { name: name.to_owned(), act, repeat: None, again }
}

/// A call of the api with its one key.
pub(super) fn call(name: &str, method: Method, path: &str, document: Value) -> Play {
    let path = path.to_owned();
    request(&format!("{name}: {method} {path}"), Again::IsOnce, move |world, base| {
        world.app.client.request(method.clone(), format!("{base}/api/v1/{path}")).bearer_auth(API_KEY).json(&document)
    })
}

async fn said(request: RequestBuilder) -> Told {
    let answer = request.send().await.unwrap();
    let status = answer.status();
    let text = format!("{status} {}", answer.text().await.unwrap());
    match status.as_u16() {
        200..400 => Told::Done,
        503 => Told::Unknown(text),
        400..500 => Told::Refused(text),
        _ => panic!("{text}"),
    }
}
