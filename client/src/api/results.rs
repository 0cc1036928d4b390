//! A job's results as a stream that outlives the connection: it is taken up where it broke off.
use super::{Away, Client};
use crate::Error;
use bytes::{Buf, Bytes, BytesMut};
use protocol::api::ResultLine;
use protocol::ids::JobId;
use protocol::job::JobState;
use protocol::limits;
use reqwest::Response;

/// Items asked for at a time: after a broken connection at most so many are read a second time.
const PAGE_ITEMS: u32 = limits::RESULTS_PAGE_MAX;
/// Longest line: an output with its JSON round it, or in base64.
const LINE_BYTES_MAX: usize = 2 * limits::OUTPUT_BYTES_MAX;

/// One piece of news of a job.
#[derive(Debug)]
pub enum Line {
    /// An item's output, or items that have none.
    Result(ResultLine),
    /// Nothing more for now.
    End {
        /// Whether nothing more will come.
        over: bool,
        /// How the job stands.
        state: JobState,
    },
}

/// A job's results. A broken connection is taken up where it broke off.
pub struct Results {
    client: Client,
    job: JobId,
    unordered: bool,
    follow: bool,
    cursor: Option<String>,
    /// Result lines told since the cursor: skipped when they come again.
    told: u64,
    skip: u64,
    page: Option<Page>,
}

struct Page {
    response: Response,
    buffer: BytesMut,
    /// Bytes of the buffer that hold no line feed.
    searched: usize,
    /// Result lines of this page.
    told: u32,
    /// The job's state in the cursor line, when that was the last one.
    closed_by: Option<JobState>,
}

impl Results {
    /// From the beginning. With `follow` it waits for what is not there yet.
    pub fn new(client: &Client, job: JobId, unordered: bool, follow: bool) -> Self {
        Self {
            client: client.clone(),
            job,
            unordered,
            follow,
            cursor: None,
            told: 0,
            skip: 0,
            page: None,
        }
    }

    /// The next line. Safe to drop while it waits. `told` hears when the server is away.
    pub async fn next(&mut self, told: impl Fn(&str)) -> Result<Line, Error> {
        let mut away = Away::default();
        loop {
            match self.try_next().await {
                Ok(Some(line)) => return Ok(line),
                Ok(None) => {}
                Err(error) if error.is_passing() && self.follow => {
                    self.page = None;
                    away.wait(error, &told).await?;
                }
                Err(error) => return Err(error),
            }
        }
    }

    /// Whether another line is here already, so that what was told need not be flushed yet.
    pub fn has_line(&self) -> bool {
        self.page
            .as_ref()
            .is_some_and(|page| page.buffer.contains(&b'\n'))
    }

    /// One step: a line to hand on, or `None` after what only moves the stream.
    async fn try_next(&mut self) -> Result<Option<Line>, Error> {
        let page = match &mut self.page {
            Some(page) => page,
            none => {
                let page = open(
                    &self.client,
                    self.job,
                    self.unordered,
                    self.follow,
                    self.cursor.as_deref(),
                );
                self.skip = self.told;
                none.insert(page.await?)
            }
        };
        match page.line(self.client.server()).await? {
            Some(line) => self.take(&line),
            None => self.page_ended(),
        }
    }

    fn take(&mut self, line: &[u8]) -> Result<Option<Line>, Error> {
        let line: ResultLine = serde_json::from_slice(line).map_err(|error| {
            strange(
                self.client.server(),
                format!("a line of the results cannot be read: {error}"),
            )
        })?;
        match line {
            ResultLine::Cursor { cursor, end, state } => {
                self.cursor = Some(cursor);
                (self.told, self.skip) = (0, 0);
                if let Some(page) = &mut self.page {
                    page.closed_by = Some(state);
                }
                Ok(end.then_some(Line::End { over: true, state }))
            }
            _ if self.skip > 0 => {
                self.skip -= 1;
                Ok(None)
            }
            line => {
                self.told += 1;
                if let Some(page) = &mut self.page {
                    (page.closed_by, page.told) = (None, page.told + 1);
                }
                Ok(Some(Line::Result(line)))
            }
        }
    }

    /// A page that ends behind a cursor is whole, any other was cut off.
    fn page_ended(&mut self) -> Result<Option<Line>, Error> {
        let page = self.page.take();
        let (told, state) = page.map_or((0, None), |page| (page.told, page.closed_by));
        match state {
            Some(_) if told > 0 && (self.follow || told >= PAGE_ITEMS) => Ok(None),
            Some(state) if !self.follow => Ok(Some(Line::End { over: false, state })),
            // A server that stops ends the pages that follow; so does one that breaks.
            _ => {
                let server = self.client.server().into();
                Err(Error::Unreachable {
                    server,
                    why: "the results ended too soon".into(),
                })
            }
        }
    }
}

async fn open(
    client: &Client,
    job: JobId,
    unordered: bool,
    follow: bool,
    cursor: Option<&str>,
) -> Result<Page, Error> {
    let order = if unordered { "completed" } else { "index" };
    let limit = PAGE_ITEMS.to_string();
    let mut query = vec![
        ("order", order),
        ("limit", limit.as_str()),
        ("follow", if follow { "true" } else { "false" }),
    ];
    query.extend(cursor.map(|cursor| ("cursor", cursor)));
    let request = client.ask(&format!("/jobs/{job}/results"), &query);
    let response = client.send(request).await?;
    Ok(Page {
        response,
        buffer: BytesMut::new(),
        searched: 0,
        told: 0,
        closed_by: None,
    })
}

impl Page {
    /// The next line; `None` at the end of the body.
    async fn line(&mut self, server: &str) -> Result<Option<Bytes>, Error> {
        let cut_off = |why: String| Error::Unreachable {
            server: server.into(),
            why,
        };
        loop {
            if let Some(at) = self.buffer[self.searched..]
                .iter()
                .position(|&byte| byte == b'\n')
            {
                let line = self.buffer.split_to(self.searched + at).freeze();
                self.buffer.advance(1);
                self.searched = 0;
                return Ok(Some(line));
            }
            self.searched = self.buffer.len();
            if self.searched > LINE_BYTES_MAX {
                return Err(strange(server, "a line of the results is too long".into()));
            }
            match self.response.chunk().await {
                Ok(Some(piece)) => self.buffer.extend_from_slice(&piece),
                Ok(None) => return Ok(None),
                Err(error) => return Err(cut_off(super::innermost(&error))),
            }
        }
    }
}

fn strange(server: &str, why: String) -> Error {
    let server = server.into();
    Error::Strange { server, why }
}
