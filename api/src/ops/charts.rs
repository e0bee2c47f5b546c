//! Pictures of the last hours: from samples to the lines, ticks and words that the template draws.

use std::fmt::Write;

use chrono::{DateTime, Timelike, Utc};
use serde_json::{Value, json};
use vouch_common::domain::effect::Queue;

use super::{overview::text, words::span};

/// The picture's size and the room around the plot, in its own units.
const WIDTH: f64 = 420.0;
const HEIGHT: f64 = 190.0;
const LEFT: f64 = 52.0;
const RIGHT: f64 = 20.0;
const TOP: f64 = 12.0;
const BOTTOM: f64 = 26.0;
/// Into how many pieces the time is cut. A piece holds several samples, so that a line does not tremble.
const PIECES: usize = 48;
/// Most marks on the time's axis.
const TIME_MARKS_MAX: i64 = 6;
/// Marks on the other axis, about.
const MARKS: f64 = 4.0;
/// Distances of the time's marks, in seconds.
const TIME_STEPS: [i64; 8] = [300, 600, 900, 1800, 3600, 7200, 14_400, 28_800];

/// How the queues stood, piece by piece.
pub(super) struct Samples {
    from: i64,
    to: i64,
    queues: Vec<(&'static str, Vec<Piece>)>,
}

/// What a queue did in a piece of time.
#[derive(Debug, Clone, Copy, Default)]
struct Piece {
    samples: u32,
    /// The time of which the counts speak.
    minutes: f64,
    done: f64,
    failed: f64,
    wait: Option<f64>,
    waits: f64,
    oldest: f64,
}

/// A line of a picture.
struct Line {
    name: &'static str,
    style: String,
    values: Vec<Option<f64>>,
}

#[derive(Clone, Copy)]
enum Unit {
    PerMinute,
    Seconds,
}

impl Samples {
    /// Of the api's samples; `only` keeps one queue, empty keeps all.
    pub(super) fn of(samples: &[Value], only: &str) -> Self {
        let times = || samples.iter().filter_map(time);
        let (from, to) = (times().min().unwrap_or_default(), times().max().unwrap_or_default().max(1));
        let kept = Queue::ALL.map(Queue::as_str).into_iter().filter(|name| only.is_empty() || *name == only);
        let mut queues: Vec<(&'static str, Vec<Piece>)> = kept.map(|name| (name, vec![Piece::default(); PIECES])).collect();
        // A sample speaks of the time since the one before; after a pause, of no more than a piece.
        let longest = seconds(to - from) / pieces();
        let mut before = [None; Queue::ALL.len()];
        for sample in samples {
            let Some(at) = time(sample) else { continue };
            let queue = queues.iter_mut().find(|(name, _)| *name == text(sample, "queue"));
            if let Some((name, pieces)) = queue
                && let (Some(piece), Some(last)) = (pieces.get_mut(index(at, from, to)), before.get_mut(place(name)))
            {
                piece.add(sample, last.map(|last| seconds(at - last).clamp(0.0, longest)));
                *last = Some(at);
            }
        }
        Self { from, to, queues }
    }

    fn is_empty(&self) -> bool {
        self.from >= self.to || self.queues.iter().all(|(_, pieces)| pieces.iter().all(|piece| piece.samples == 0))
    }

    /// The pictures, for the template.
    pub(super) fn charts(&self) -> Vec<Value> {
        if self.is_empty() {
            return Vec::new();
        }
        let throughput = vec![
            Line { name: "done", style: "line-done".to_owned(), values: self.rates(|piece| piece.done) },
            Line { name: "failed tries", style: "line-failed".to_owned(), values: self.rates(|piece| piece.failed) },
        ];
        let per_queue = |of: fn(&Piece) -> Option<f64>| -> Vec<Line> {
            let lines = self.queues.iter().map(|(name, pieces)| Line {
                name,
                style: format!("line-{}", place(name)),
                values: pieces.iter().map(of).collect(),
            });
            lines.filter(|line| line.values.iter().flatten().any(|value| *value > 0.0)).collect()
        };
        let waits = per_queue(|piece| piece.wait);
        let ages = per_queue(|piece| (piece.samples > 0).then_some(piece.oldest));
        vec![
            self.chart(("throughput", "Throughput", "jobs a minute"), Unit::PerMinute, &throughput),
            self.chart(("wait", "Wait", "mean time from due to begun"), Unit::Seconds, &waits),
            self.chart(("age", "Age", "how long the oldest due job waited"), Unit::Seconds, &ages),
        ]
    }

    /// The same as numbers, newest first.
    pub(super) fn table(&self) -> Vec<Value> {
        if self.is_empty() {
            return Vec::new();
        }
        let (done, failed) = (self.rates(|piece| piece.done), self.rates(|piece| piece.failed));
        let row = |piece: usize| {
            let all = || self.queues.iter().filter_map(move |(_, pieces)| pieces.get(piece)).filter(|piece| piece.samples > 0);
            let greatest = |values: &mut dyn Iterator<Item = f64>| {
                values.fold(None, |most: Option<f64>, one| Some(most.map_or(one, |most| most.max(one))))
            };
            all().next()?;
            Some(json!({
                "at": clock(self.time_of(piece)),
                "done": done.get(piece).copied().flatten(),
                "failed": failed.get(piece).copied().flatten(),
                "wait": greatest(&mut all().filter_map(|piece| piece.wait)),
                "oldest": greatest(&mut all().map(|piece| piece.oldest)),
            }))
        };
        (0..PIECES).rev().filter_map(row).collect()
    }

    /// How many a minute, over all queues.
    fn rates(&self, of: fn(&Piece) -> f64) -> Vec<Option<f64>> {
        let counted = |place: usize| {
            let pieces = self.queues.iter().filter_map(move |(_, pieces)| pieces.get(place));
            pieces.filter(|piece| piece.minutes > 0.0).map(move |piece| of(piece) / piece.minutes)
        };
        (0..PIECES).map(|place| counted(place).next().map(|_| counted(place).sum())).collect()
    }

    fn time_of(&self, piece: usize) -> i64 {
        let width = i64::try_from(PIECES).map_or(1, |pieces| (self.to - self.from) / pieces);
        self.from + width * i64::try_from(piece).unwrap_or_default()
    }

    fn chart(&self, (id, title, about): (&str, &str, &str), unit: Unit, lines: &[Line]) -> Value {
        let most = lines.iter().flat_map(|line| line.values.iter().flatten()).fold(0.0_f64, |most, value| most.max(*value));
        let step = unit.step(most);
        let top = (most / step).ceil().max(1.0) * step;
        let marks = (0..).map(|mark| f64::from(mark) * step).take_while(|value| *value <= top + step / 2.0);
        let marks: Vec<Value> = marks.map(|value| json!({ "y": rounded(y(value, top)), "label": unit.mark(value) })).collect();
        let drawn: Vec<Value> = lines
            .iter()
            .map(|line| json!({ "name": line.name, "style": line.style, "path": path(&line.values, top), "last": last(line, unit) }))
            .collect();
        json!({
            "id": id, "title": title, "about": about, "width": WIDTH, "height": HEIGHT, "left": LEFT, "right": WIDTH - RIGHT,
            "top": TOP, "bottom": HEIGHT - BOTTOM, "marks": marks, "times": self.times(), "lines": drawn,
            "words": self.words(lines, unit),
        })
    }

    fn times(&self) -> Vec<Value> {
        let whole = self.to - self.from;
        let step = TIME_STEPS.into_iter().find(|step| whole / step <= TIME_MARKS_MAX).unwrap_or(43_200);
        let first = self.from + (step - self.from % step) % step;
        let marks = (0..=TIME_MARKS_MAX).map(|mark| first + mark * step).take_while(|at| *at <= self.to);
        let x = |at: i64| LEFT + (WIDTH - LEFT - RIGHT) * seconds(at - self.from) / seconds(whole);
        marks.map(|at| json!({ "x": rounded(x(at)), "label": clock(at) })).collect()
    }

    /// The picture for whoever does not see it.
    fn words(&self, lines: &[Line], unit: Unit) -> String {
        let mut words = format!("From {} to {} UTC.", clock(self.from), clock(self.to));
        if lines.is_empty() {
            words.push_str(" Nothing but zero.");
        }
        for line in lines {
            let values = line.values.iter().enumerate().filter_map(|(index, value)| Some((index, (*value)?)));
            if let Some((index, most)) = values.max_by(|(_, one), (_, other)| one.total_cmp(other)) {
                let _ = write!(
                    words,
                    " {}: at most {} at {}, now {}.",
                    line.name,
                    unit.label(most),
                    clock(self.time_of(index)),
                    last(line, unit)
                );
            }
        }
        words
    }
}

impl Piece {
    fn add(&mut self, sample: &Value, passed: Option<f64>) {
        let number = |name: &str| sample.get(name).and_then(Value::as_f64);
        let done = number("done").unwrap_or_default();
        let failed = number("failed").unwrap_or_default();
        self.samples += 1;
        if let Some(passed) = passed {
            self.minutes += passed / 60.0;
            self.done += done;
            self.failed += failed;
        }
        self.oldest = self.oldest.max(number("oldest_due_seconds").unwrap_or_default());
        if let Some(wait) = number("wait_seconds") {
            let weight = (done + failed).max(1.0);
            let mean = self.wait.unwrap_or_default();
            self.waits += weight;
            self.wait = Some(mean + (wait - mean) * weight / self.waits);
        }
    }
}

impl Unit {
    fn label(self, value: f64) -> String {
        match self {
            Self::Seconds if value == 0.0 => "0".to_owned(),
            Self::Seconds => span(value),
            Self::PerMinute if value >= 10_000.0 => format!("{:.0}k", value / 1000.0),
            Self::PerMinute if value >= 10.0 || value.fract() == 0.0 => format!("{value:.0}"),
            Self::PerMinute => format!("{value:.1}"),
        }
    }

    /// At the axis there is room for one unit.
    fn mark(self, value: f64) -> String {
        match self {
            Self::Seconds if value >= 3600.0 => format!("{} h", rounded(value / 3600.0)),
            _ => self.label(value),
        }
    }

    /// A round distance between marks.
    fn step(self, most: f64) -> f64 {
        let wanted = most / MARKS;
        let rounds: &[f64] = match self {
            Self::Seconds if wanted >= 1.0 => {
                &[1.0, 2.0, 5.0, 15.0, 30.0, 60.0, 120.0, 300.0, 600.0, 1800.0, 3600.0, 7200.0, 14_400.0, 43_200.0, 86_400.0]
            }
            _ => &[],
        };
        if let Some(step) = rounds.iter().find(|step| **step >= wanted) {
            return *step;
        }
        if wanted <= 0.0 {
            return 1.0;
        }
        let power = 10_f64.powf(wanted.log10().floor());
        let step = [1.0, 2.0, 5.0, 10.0].into_iter().map(|digit| digit * power).find(|step| *step >= wanted);
        step.unwrap_or(wanted)
    }
}

/// A queue has the same line in every picture.
fn place(name: &str) -> usize {
    Queue::ALL.iter().position(|queue| queue.as_str() == name).unwrap_or_default()
}

fn time(sample: &Value) -> Option<i64> {
    DateTime::parse_from_rfc3339(text(sample, "at")).ok().map(|at| at.timestamp())
}

#[expect(clippy::cast_possible_truncation, clippy::cast_sign_loss, reason = "it lies between 0 and the number of pieces")]
fn index(at: i64, from: i64, to: i64) -> usize {
    let place = seconds(at - from) / seconds((to - from).max(1)) * pieces();
    (place.max(0.0) as usize).min(PIECES - 1)
}

#[expect(clippy::cast_precision_loss, reason = "hours in seconds are small")]
fn seconds(span: i64) -> f64 {
    span as f64
}

#[expect(clippy::cast_precision_loss, reason = "there are few pieces")]
fn pieces() -> f64 {
    PIECES as f64
}

fn y(value: f64, top: f64) -> f64 {
    HEIGHT - BOTTOM - (HEIGHT - TOP - BOTTOM) * value / top
}

/// The line as SVG has it; a gap where nothing is known.
fn path(values: &[Option<f64>], top: f64) -> String {
    let mut path = String::new();
    let width = (WIDTH - LEFT - RIGHT) / (pieces() - 1.0);
    let mut is_down = false;
    let mut x = LEFT;
    for value in values {
        if let Some(value) = value {
            let _ = write!(path, "{}{:.1} {:.1}", if is_down { "L" } else { "M" }, x, y(*value, top));
        }
        is_down = value.is_some();
        x += width;
    }
    path
}

fn last(line: &Line, unit: Unit) -> String {
    line.values.iter().rev().flatten().next().map_or_else(|| "–".to_owned(), |value| unit.label(*value))
}

fn clock(at: i64) -> String {
    let at: DateTime<Utc> = DateTime::from_timestamp(at, 0).unwrap_or_default();
    format!("{:02}:{:02}", at.hour(), at.minute())
}

fn rounded(value: f64) -> f64 {
    (value * 10.0).round() / 10.0
}

#[cfg(test)]
mod tests {
    use super::*;

    fn sample(minute: u32, queue: &str, done: u32, oldest: f64) -> Value {
        let at = format!("2026-11-25T{:02}:{:02}:00Z", 1 + minute / 60, minute % 60);
        json!({ "at": at, "queue": queue, "done": done, "failed": 0, "oldest_due_seconds": oldest, "wait_seconds": 0.5 })
    }

    #[test]
    fn a_steady_rate_is_a_level_line_whatever_the_distance_of_the_samples() {
        let samples: Vec<Value> =
            (0..=240).flat_map(|minute| [sample(minute, "mail", 30, 0.0), sample(minute, "vendor", 12, 0.0)]).collect();
        let read = Samples::of(&samples, "");
        for rate in read.rates(|piece| piece.done).into_iter().flatten() {
            assert!((rate - 42.0).abs() < 0.001, "{rate}");
        }
        let charts = read.charts();
        assert_eq!(charts[0]["times"][0]["label"], "01:00");
        assert_eq!(charts[0]["marks"][0]["label"], "0");
    }

    #[test]
    fn a_picture_of_one_queue_has_only_its_line() {
        let samples: Vec<Value> =
            (0..60).flat_map(|minute| [sample(minute, "mail", 3, 5.0), sample(minute, "vendor", 1, 900.0)]).collect();
        let charts = Samples::of(&samples, "vendor").charts();
        assert_eq!(charts[2]["lines"].as_array().unwrap().len(), 1);
        assert_eq!(charts[2]["lines"][0]["last"], "15 min");
        assert!(charts[2]["words"].as_str().unwrap().contains("vendor: at most 15 min"));
    }

    #[test]
    fn without_samples_there_is_no_picture_and_no_failure() {
        assert!(Samples::of(&[], "").charts().is_empty());
        assert!(Samples::of(&[sample(1, "mail", 1, 0.0)], "").charts().is_empty());
        assert!(Samples::of(&[json!({ "at": "nonsense" })], "").table().is_empty());
    }

    #[test]
    fn a_gap_in_the_samples_is_a_gap_in_the_line() {
        assert_eq!(path(&[Some(0.0), None, Some(1.0)], 1.0).matches('M').count(), 2);
    }
}
