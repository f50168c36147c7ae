//! Verifies an export, without a database.

use super::chain::{Chain, Link};
use super::finding::{Finding, SealDefect};
use super::verify::{Report, Verifier};
use crate::export::{Begin, End, ExportLine};

/// The verification of an export under way, line by line.
pub struct FileVerifier {
    verifier: Verifier,
    lines: u64,
    begun: Option<Begin>,
    ended: bool,
    chain: Chain,
    seals: u64,
    findings: Vec<Finding>,
    /// The last line does not fit; said after what may explain it.
    other_end: Option<Finding>,
}

impl FileVerifier {
    /// A verification that trusts and compares as `verifier` does.
    pub fn new(verifier: Verifier) -> Self {
        Self {
            verifier,
            lines: 0,
            begun: None,
            ended: false,
            chain: Chain::default(),
            seals: 0,
            findings: Vec::new(),
            other_end: None,
        }
    }

    /// The next line, without its end.
    pub fn line(&mut self, line: &str) {
        self.lines += 1;
        if let Err(defect) = self.add_line(line) {
            self.defect(defect);
        }
    }

    fn add_line(&mut self, line: &str) -> Result<(), String> {
        let no_event = |error: serde_json::Error| format!("it is not an exported event: {error}");
        let line = ExportLine::parse(line).map_err(no_event)?;
        if self.ended {
            return Err("the export has ended before".to_owned());
        }
        match line {
            ExportLine::Begin(begin) if self.lines == 1 && begin.is_known() => {
                self.begun = Some(begin);
                self.verifier.expect_seals(begin.seals);
            }
            ExportLine::Begin(_) => return Err("an export begins anew, or is of a newer version".to_owned()),
            ExportLine::Event(event) => {
                self.chain.add(Link::from_event(&event).map_err(no_event)?.hash);
                self.verifier.event(&event, None).map_err(no_event)?;
            }
            ExportLine::Seal(seal) => {
                self.seals = seal.number;
                self.verifier.seal(&seal);
            }
            ExportLine::End(end) => {
                self.ended = true;
                if end != End::from_chain(self.chain) {
                    let defect = "the events before it are not those that were exported".to_owned();
                    self.other_end = Some(Finding::Line { line: self.lines, defect });
                }
            }
        }
        Ok(())
    }

    fn defect(&mut self, defect: String) {
        self.findings.push(Finding::Line { line: self.lines, defect });
    }

    /// What has come of it.
    pub fn finish(mut self) -> Report {
        match self.begun {
            None => self.findings.insert(
                0,
                Finding::Line {
                    line: 1,
                    defect: "the first line of an export is missing: whether it is complete cannot be verified"
                        .to_owned(),
                },
            ),
            Some(begin) => {
                if !self.ended {
                    self.lines += 1;
                    self.defect("the last line is missing: the export is cut off".to_owned());
                }
                if self.seals < begin.seals {
                    self.findings.push(Finding::Seal { seal: begin.seals, defect: SealDefect::Gone });
                }
            }
        }
        let mut report = self.verifier.finish();
        report.findings.splice(0..0, self.findings);
        report.findings.extend(self.other_end);
        report
    }
}
