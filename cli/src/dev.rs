//! `elytra dev`: a server and a worker to try things out, and what to do with them. What it leaves in
//! its folder (jobs, results, token, address) is taken up at the next start, also after `kill -9`.
use crate::args::DevArgs;
use crate::context::{ADDRESS_FILE, DEV_FOLDER, TOKEN_FILE};
use crate::failure::{Code, Failure};
use crate::say::{Paint, note};
use crate::shell::{self, DevOptions, Running};
use anyhow::Context as _;
use std::io::Write as _;
use std::net::SocketAddr;
use std::path::{Path, PathBuf};

/// `elytra dev`.
pub(crate) async fn dev(args: &DevArgs) -> Result<Code, Failure> {
    let house = House::open(args, PathBuf::from(DEV_FOLDER), false).await?;
    note(&welcome(&house, Paint::stderr()));
    house.serve().await
}

/// A running server, and its folder.
pub(crate) struct House {
    pub(crate) running: Running,
    folder: PathBuf,
}

impl House {
    /// Starts a server and a worker.
    pub(crate) async fn open(args: &DevArgs, folder: PathBuf, any_port: bool) -> Result<Self, Failure> {
        let mut options = DevOptions {
            listen: args.listen.clone(),
            data_dir: args.data_dir.clone(),
            data_dir_default: folder,
            last_address: None,
            any_port,
            slots: args.slots,
        };
        let folder = shell::dev_folder(&options)?;
        options.last_address = left(&folder, ADDRESS_FILE).and_then(|address| read_address(&address));
        let token = left(&folder, TOKEN_FILE);
        let keep = |token: &str| write_private(&folder, TOKEN_FILE, token);
        let running = shell::start(&options, token, keep).await?;
        write_private(&folder, ADDRESS_FILE, &format!("http://{}", running.address))?;
        Ok(Self { running, folder })
    }

    /// The server's address.
    pub(crate) fn server(&self) -> String {
        format!("http://{}", self.running.address)
    }

    /// The address with the token: in the fragment, which no browser sends anywhere.
    pub(crate) fn page(&self) -> String {
        format!("{}/#token={}", self.server(), self.running.token)
    }

    /// Until a signal, or until something breaks.
    pub(crate) async fn serve(mut self) -> Result<Code, Failure> {
        tokio::select! {
            failure = self.running.ended() => return Err(failure),
            () = shell::told_to_stop() => {}
        }
        note("stopping; jobs go on at the next start");
        self.close().await?;
        Ok(Code::Done)
    }

    /// Ends the server and the worker.
    pub(crate) async fn close(self) -> Result<(), Failure> {
        self.running.stop().await
    }

    /// Flags that a command in another folder needs.
    pub(crate) fn flags(&self) -> String {
        if self.folder == Path::new(DEV_FOLDER) {
            return String::new();
        }
        format!(
            " --server {} --token-file {}",
            self.server(),
            self.folder.join(TOKEN_FILE).display()
        )
    }
}

fn left(folder: &Path, file: &str) -> Option<String> {
    let text = std::fs::read_to_string(folder.join(file)).ok()?;
    Some(text.trim().to_owned()).filter(|text| !text.is_empty())
}

fn read_address(text: &str) -> Option<SocketAddr> {
    text.strip_prefix("http://")?.parse().ok()
}

/// A file that nobody else may read.
fn write_private(folder: &Path, file: &str, text: &str) -> anyhow::Result<()> {
    use std::os::unix::fs::OpenOptionsExt as _;
    let path = folder.join(file);
    let told = || format!("{} cannot be written", path.display());
    let mut options = std::fs::OpenOptions::new();
    let mut file = options
        .write(true)
        .create(true)
        .truncate(true)
        .mode(0o600)
        .open(&path)
        .with_context(told)?;
    writeln!(file, "{text}").with_context(told)
}

fn welcome(house: &House, paint: Paint) -> String {
    let flags = house.flags();
    format!(
        "\n  {}  {}\n\n  {}\n    {}\n\n  {}\n    elytra run mersenne 3 5 7 11{flags}\n    \
         seq 3 2 5000 | elytra run mersenne{flags}\n    elytra run mandelbrot --picture set.png{flags}\n\n  {}\n",
        paint.bold("elytra dev"),
        house.server(),
        paint.dim("Open it, in as many tabs as you like, and press Start:"),
        house.page(),
        paint.dim("Submit something from another terminal:"),
        paint.dim(&format!(
            "Everything is kept in {}. Ctrl-C stops.",
            house.folder.display()
        )),
    )
}
