//! A way through the model, told in words.

use std::fmt::Write;

use super::{
    ledger::{Event, Fault},
    state::{Relay, State, Ticket, Worker},
};

/// One line a step.
pub fn tell(path: &[(State, Option<Event>)]) -> String {
    let mut story = String::new();
    for (number, (state, event)) in path.iter().filter_map(|(state, event)| Some((state, (*event)?))).enumerate() {
        writeln!(story, "{:>3}. {}", number + 1, sentence(state, event)).unwrap();
    }
    story
}

fn named(ticket: Option<Ticket>) -> String {
    ticket.map_or_else(|| "nothing".to_owned(), |ticket| format!("job {}, generation {}", ticket.job + 1, ticket.generation))
}

fn sentence(state: &State, event: Event) -> String {
    let held = |place: usize| named(state.workers[place].thing());
    let relayed = |place: usize| match state.relays[place] {
        Relay::Holding(ticket) | Relay::TakingBack(ticket) => named(Some(ticket)),
        Relay::Idle | Relay::Looked => named(None),
    };
    match event {
        Event::Born(job) => format!("job {} is born with its cause", job + 1),
        Event::Caused(job) => format!("the cause of job {} is committed, without the job", job + 1),
        Event::RowFollows(job) => format!("the row of job {} follows", job + 1),
        Event::Swept(job) => format!("the sweep puts job {} back", job + 1),
        Event::Looked(_) => "a relay sees room on the list".to_owned(),
        Event::HandedOut(_, job) => format!("it hands job {} out", job + 1),
        Event::NothingDue(_) => "it finds nothing due".to_owned(),
        Event::Pushed(place) => format!("the relay pushes {}", relayed(place)),
        Event::TookBack(place) => format!("the relay takes back {}", relayed(place)),
        Event::Popped(_) => format!("a worker takes {} from the list", named(state.list.first().copied())),
        Event::Claimed(place) => format!("the worker claims {}", held(place)),
        Event::CommittedEffect(place) => format!("the worker commits the effect of {}", held(place)),
        Event::Settled(place) => match state.workers[place] {
            Worker::Working { is_frozen: false, .. } => format!("the worker settles {}", held(place)),
            _ => format!("a worker that woke up settles {}", held(place)),
        },
        Event::EndedItsWorker(place) => format!("{} ends its worker", held(place)),
        Event::Woke(place) => format!("the worker with {} wakes up", held(place)),
        Event::FellDue(job) => format!("time passes: job {} is due again", job + 1),
        Event::Fault(fault) => format!("FAULT: {}", mishap(state, fault, held, relayed)),
    }
}

fn mishap(state: &State, fault: Fault, held: impl Fn(usize) -> String, relayed: impl Fn(usize) -> String) -> String {
    match fault {
        Fault::ApiDies(job) => format!("the api dies before the row of job {} is written", job + 1),
        Fault::RelayDies(place) => format!("the relay dies with {}", relayed(place)),
        Fault::PushUnheard(place) => format!("the relay pushes {}, and thinks that it failed", relayed(place)),
        Fault::PushFails(place) => format!("the push of {} fails", relayed(place)),
        Fault::WorkerDies(place) => format!("the worker with {} is killed", held(place)),
        Fault::WorkerFreezes(place) => format!("the worker with {} freezes", held(place)),
        Fault::TryFails(place) => format!("the try of {} fails", held(place)),
        Fault::GivenBack(place) => format!("the worker stops and gives back {}", held(place)),
        Fault::RedisErased => "Redis is erased".to_owned(),
        Fault::TicketVanishes(place) => format!("Redis loses {}", named(state.list.get(place).copied())),
        Fault::TicketReturns(ticket) => format!("Redis brings back {}", named(Some(ticket))),
        Fault::FellDueOnTheList(job) => format!("job {} lies on the list for so long that it is due again", job + 1),
    }
}
