//! Items and what is to be done with them: nothing runs before the answers are asked for.
use crate::feed::{self, IN_FLIGHT_DEFAULT, Lines};
use crate::outputs::{Order, Outputs};
use crate::program::Entry;
use crate::{Client, Error, idempotency_key};
use protocol::job::{
    BlobSpec, Encoding, Grain, InputSpec, JobSpec, Limits, Needs, OnFailure, OpenSpec, RangeSpec, ReduceSpec,
    Split,
};
use protocol::limits::FAN_IN_DEFAULT;
use protocol::trust::Trust;
use serde::Serialize;
use serde::de::DeserializeOwned;
use serde_json::Value;

/// Inputs of so few items travel with the job.
const ITEMS_INLINE_MAX: usize = 1_000;
/// And of so few bytes.
const ITEMS_INLINE_BYTES_MAX: usize = 1 << 20;

/// Items: rayon's parallel iterator, before anything is done with it.
#[must_use = "nothing runs before map, and collect, reduce or stream"]
pub struct Input {
    client: Client,
    source: Source,
}

enum Source {
    Range(RangeSpec),
    Lines(Lines),
}

/// A function over items, and how it is to be run. Nothing runs before [`collect`](Self::collect),
/// [`reduce`](Self::reduce), [`for_each`](Self::for_each) or [`stream`](Self::stream).
#[must_use = "nothing runs before collect, reduce, for_each or stream"]
pub struct Mapped {
    input: Input,
    entry: Entry,
    /// Program and input are filled in when it runs.
    spec: JobSpec,
    params: Result<Value, serde_json::Error>,
    order: Order,
    in_flight_max: u64,
    fan_in: u32,
}

impl Input {
    pub(crate) fn range(client: &Client, range: RangeSpec) -> Self {
        let (client, source) = (client.clone(), Source::Range(range));
        Self { client, source }
    }

    pub(crate) fn lines(client: &Client, lines: Lines) -> Self {
        let (client, source) = (client.clone(), Source::Lines(lines));
        Self { client, source }
    }

    /// Only every `step`-th item, from the first on.
    pub fn step_by(mut self, step: u32) -> Self {
        self.source = match self.source {
            Source::Range(mut range) => {
                range.step *= i64::from(step.max(1));
                Source::Range(range)
            }
            Source::Lines(lines) => Source::Lines(Box::new(lines.step_by(step.max(1) as usize))),
        };
        self
    }

    /// An output for every item.
    pub fn map(self, entry: Entry) -> Mapped {
        // Both are said when it runs: the program may have to be uploaded first.
        let spec = JobSpec::new("", entry.name(), InputSpec::Open(OpenSpec::default()));
        Mapped {
            input: self,
            entry,
            spec,
            params: Ok(Value::Null),
            order: Order::default(),
            in_flight_max: IN_FLIGHT_DEFAULT,
            fan_in: FAN_IN_DEFAULT,
        }
    }

    /// An output for every item for which the entry does not return `null`.
    pub fn filter_map(self, entry: Entry) -> Mapped {
        let mut mapped = self.map(entry);
        mapped.order.leaves_null_out = true;
        mapped
    }
}

impl Mapped {
    /// The entry's parameters; of a script, its functions' second argument.
    pub fn params(mut self, params: impl Serialize) -> Self {
        self.params = serde_json::to_value(params);
        self
    }

    /// What people call the job; else the entry's name.
    pub fn name(mut self, name: impl Into<String>) -> Self {
        self.spec.name = name.into();
        self
    }

    /// A free label, to find the job again.
    pub fn label(mut self, name: impl Into<String>, value: impl Into<String>) -> Self {
        self.spec.labels.insert(name.into(), value.into());
        self
    }

    /// Items that make a shard; else that is measured, for about a quarter of a second of work.
    pub fn grain(mut self, items: u32) -> Self {
        self.spec.grain = Grain::Items(items);
        self
    }

    /// Failed attempts after which a shard fails for good (1 to 100; else 5).
    pub fn attempts(mut self, attempts: u8) -> Self {
        self.spec.attempts_max = attempts;
        self
    }

    /// How far strangers' answers are trusted; else [`Trust::Private`]: everybody's are.
    pub fn trust(mut self, level: Trust) -> Self {
        self.spec.trust = level;
        self
    }

    /// Jobs with a higher priority go first (-100 to 100; else 0).
    pub fn priority(mut self, priority: i8) -> Self {
        self.spec.priority = priority;
        self
    }

    /// Limits of every shard.
    pub fn limits(mut self, limits: Limits) -> Self {
        self.spec.limits = limits;
        self
    }

    /// What a worker must be.
    pub fn needs(mut self, needs: Needs) -> Self {
        self.spec.needs = needs;
        self
    }

    /// A shard that fails for good is told as an [`Error::ItemFailed`] among the outputs of
    /// [`stream`](Self::stream), and the job goes on behind it; else the job fails.
    pub fn skip_failures(mut self) -> Self {
        self.spec.on_failure = OnFailure::Skip;
        self.order.goes_on = true;
        self
    }

    /// Outputs as they are completed instead of in the order of their items.
    pub fn unordered(mut self) -> Self {
        self.order.is_unordered = true;
        self
    }

    /// Most items of an iterator that are on their way: sent, and their outputs not taken (else 10,000).
    pub fn in_flight(mut self, items: u64) -> Self {
        self.in_flight_max = items.max(1);
        self
    }

    /// Outputs that one step of a reduction joins (16 to 4,096; else 256). The shape decides how
    /// floating-point sums round.
    pub fn fan_in(mut self, outputs: u32) -> Self {
        self.fan_in = outputs;
        self
    }

    /// Runs it, and waits for all outputs.
    ///
    /// # Errors
    /// The first thing that goes wrong; what still runs is cancelled then.
    pub async fn collect<C>(self) -> Result<C, Error>
    where
        C: IntoIterator + FromIterator<<C as IntoIterator>::Item>,
        C::Item: DeserializeOwned,
    {
        let mut outputs = self.stream::<C::Item>().await?;
        let mut all = Vec::new();
        while let Some(output) = outputs.next().await {
            all.push(output?);
        }
        Ok(all.into_iter().collect())
    }

    /// Runs it for what it does, and drops the outputs.
    ///
    /// # Errors
    /// As [`collect`](Self::collect).
    pub async fn for_each(self) -> Result<(), Error> {
        let mut outputs = self.stream::<serde::de::IgnoredAny>().await?;
        while let Some(output) = outputs.next().await {
            output?;
        }
        Ok(())
    }

    /// Runs it and joins the outputs on the workers, as a tree whose shape depends on nothing but their
    /// number: floating-point sums have the same bits however many workers there are. `entry` is of the
    /// same program and takes lists of neighbouring outputs; in a script it is a function of two.
    ///
    /// # Errors
    /// [`Error::Empty`] without items; otherwise as [`collect`](Self::collect).
    pub async fn reduce<T: DeserializeOwned>(mut self, entry: Entry) -> Result<T, Error> {
        let client = self.input.client.clone();
        let (program, other) = (self.entry.program(&client).await?, entry.program(&client).await?);
        if program != other {
            let told = "reduce: both entries must be of one program; export both from one module";
            return Err(Error::Usage(told.into()));
        }
        self.spec.reduce = Some(ReduceSpec {
            entry: entry.name().into(),
            fan_in: self.fan_in,
        });
        let mut outputs = self.stream::<T>().await?;
        let Some(output) = outputs.next().await else {
            return Err(Error::Empty);
        };
        let output = output?;
        // Only the end tells that nothing failed.
        match outputs.next().await {
            Some(Err(error)) => Err(error),
            _ => Ok(output),
        }
    }

    /// Runs it. Outputs come as they are there, in the order of their items unless
    /// [`unordered`](Self::unordered) was said.
    ///
    /// # Errors
    /// When the job cannot be submitted. What goes wrong later is among the outputs.
    pub async fn stream<T: DeserializeOwned>(self) -> Result<Outputs<T>, Error> {
        let Self {
            input: Input { client, source },
            entry,
            mut spec,
            params,
            order,
            in_flight_max,
            ..
        } = self;
        let wrong = |error| Error::Usage(format!("the parameters are not JSON: {error}"));
        spec.params = params.map_err(wrong)?;
        let Some((input, rest)) = settle(&client, source, spec.reduce.is_some()).await? else {
            return Ok(Outputs::nothing());
        };
        spec.input = input;
        spec.program = entry.program(&client).await?;
        let key = idempotency_key()?;
        let submit = || client.submit(&spec, &key);
        let job = client.patiently(submit, |_| {}).await?;
        let mut outputs = Outputs::new(&client, job.id, order);
        if let Some(lines) = rest {
            outputs.feed_by(|taken| feed::feed(client, job.id, lines, in_flight_max, taken));
        }
        Ok(outputs)
    }
}

/// How the items travel, and those that follow later. `None` when there are none.
async fn settle(
    client: &Client,
    source: Source,
    is_reduced: bool,
) -> Result<Option<(InputSpec, Option<Lines>)>, Error> {
    let lines = match source {
        Source::Range(range) if range.count() == Some(0) => return Ok(None),
        Source::Range(range) => return Ok(Some((InputSpec::Range(range), None))),
        Source::Lines(lines) => lines,
    };
    let mut lines = lines.peekable();
    if lines.peek().is_none() {
        return Ok(None);
    }
    let (_, most) = lines.size_hint();
    if most.is_some_and(|most| most <= ITEMS_INLINE_MAX) {
        let all = lines.collect::<Result<Vec<_>, _>>()?;
        if all.iter().map(Vec::len).sum::<usize>() <= ITEMS_INLINE_BYTES_MAX {
            return inline(&all).map(|input| Some((input, None)));
        }
        return elsewhere(client, Box::new(all.into_iter().map(Ok)), is_reduced).await;
    }
    elsewhere(client, Box::new(lines), is_reduced).await
}

fn inline(lines: &[Vec<u8>]) -> Result<InputSpec, Error> {
    let read = |(index, line): (u64, &Vec<u8>)| {
        serde_json::from_slice(line).map_err(|source| Error::Item { index, source })
    };
    let items = (0..).zip(lines).map(read).collect::<Result<_, _>>()?;
    Ok(InputSpec::Items(items))
}

/// A reduction tells nothing before its end, so nothing would make room for further items: its lines
/// are uploaded first.
async fn elsewhere(
    client: &Client,
    lines: Lines,
    is_reduced: bool,
) -> Result<Option<(InputSpec, Option<Lines>)>, Error> {
    let encoding = Encoding::Json;
    if !is_reduced {
        return Ok(Some((InputSpec::Open(OpenSpec { encoding }), Some(lines))));
    }
    let blob = BlobSpec {
        blob: feed::upload(client, lines).await?,
        split: Split::Lines,
        encoding,
    };
    Ok(Some((InputSpec::Blob(blob), None)))
}
