//! V8 beside the native sandbox: Chromium (or Node) as a child process that runs a kernel when it is asked.
use anyhow::{Context, Result};
use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use serde_json::{Value, json};
use std::io::{BufRead, BufReader, Write};
use std::process::{Child, ChildStdin, ChildStdout, Command, Stdio};

const SCRIPT: &str = "bench/engines/v8.mjs";

/// A running V8 with the kernels compiled.
pub(crate) struct V8 {
    child: Child,
    /// Closing it ends the child.
    asked: Option<ChildStdin>,
    answers: BufReader<ChildStdout>,
}

impl V8 {
    /// Starts it `inside` `node` or `chromium`; the working directory is the repository's root.
    pub(crate) fn start(inside: &str, module: &[u8]) -> Result<Self> {
        let mut child = Command::new("node")
            .args([SCRIPT, inside])
            .stdin(Stdio::piped())
            .stdout(Stdio::piped())
            .spawn()
            .context("node")?;
        let asked = child.stdin.take();
        let answers = BufReader::new(child.stdout.take().context("node's output")?);
        let mut v8 = Self {
            child,
            asked,
            answers,
        };
        v8.ask(&json!({ "module": STANDARD.encode(module) }))?;
        Ok(v8)
    }

    /// Seconds that one call of `entry` took.
    pub(crate) fn run(&mut self, entry: &str, input: &[u8]) -> Result<f64> {
        let ms = self.ask(&json!({ "entry": entry, "input": STANDARD.encode(input) }))?;
        Ok(ms / 1_000.0)
    }

    fn ask(&mut self, question: &Value) -> Result<f64> {
        let asked = self.asked.as_mut().context("V8 is closed")?;
        writeln!(asked, "{question}")?;
        let mut line = String::new();
        self.answers.read_line(&mut line)?;
        let answer: Value = serde_json::from_str(&line).context("V8 gave no answer")?;
        answer["ms"].as_f64().context("V8 gave no time")
    }
}

impl Drop for V8 {
    fn drop(&mut self) {
        drop(self.asked.take());
        let _ = self.child.wait();
    }
}
