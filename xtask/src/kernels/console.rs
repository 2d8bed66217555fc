//! What a booted kernel printed, read back.

/// Begins the lines that are for this program.
pub(super) const MARK: &str = "NETSEC-BOOT";

/// What is known of one boot.
#[derive(Debug, Default, PartialEq, Eq)]
pub(super) struct Report {
    /// `uname -r`.
    pub(super) release: Option<String>,
    /// Tests that passed.
    pub(super) passed: u32,
    /// Tests that failed.
    pub(super) failed: u32,
    /// Exit status of each program that ended.
    ended: Vec<(String, i32)>,
    /// Whether the end was reached.
    done: bool,
}

impl Report {
    /// Finds the marked lines and the test harness's results in a console log.
    pub(super) fn read(log: &str) -> Self {
        let mut report = Self::default();
        for line in log.lines() {
            if let Some((_, words)) = line.split_once(MARK) {
                report.marked(&words.split_whitespace().collect::<Vec<_>>());
            } else if let Some((_, result)) = line.split_once("test result: ") {
                report.passed += count(result, "passed");
                report.failed += count(result, "failed");
            }
        }
        report
    }

    fn marked(&mut self, words: &[&str]) {
        match words {
            ["release", release] => self.release = Some((*release).to_owned()),
            ["ended", name, status] => {
                let status = status.parse().unwrap_or(-1);
                self.ended.push(((*name).to_owned(), status));
            }
            ["done"] => self.done = true,
            _ => {}
        }
    }

    /// Whether every one of these programs ended well and ran at least one test between them.
    ///
    /// # Errors
    ///
    /// What is wrong, in a few words.
    pub(super) fn verdict(&self, programs: &[&str]) -> Result<(), String> {
        for program in programs {
            match self.ended.iter().find(|(name, _)| name == program) {
                Some((_, 0)) => {}
                Some((_, status)) => return Err(format!("{program} ended with {status}")),
                None => return Err(format!("{program} did not end")),
            }
        }
        if !self.done {
            return Err("the end was not reached".to_owned());
        }
        if self.passed == 0 || self.failed > 0 {
            return Err(format!("{} passed, {} failed", self.passed, self.failed));
        }
        Ok(())
    }
}

/// The number before a word: `5 passed; 0 failed; ...`.
fn count(result: &str, word: &str) -> u32 {
    let words: Vec<_> = result.split([' ', ';']).collect();
    words
        .windows(2)
        .find_map(|pair| match pair {
            [number, what] if *what == word => number.parse().ok(),
            _ => None,
        })
        .unwrap_or(0)
}

#[cfg(test)]
mod tests {
    use super::*;

    const GOOD: &str = "\x1b[2JNETSEC-BOOT release 6.1.0-50-cloud-amd64\r\n\
        test result: ok. 5 passed; 0 failed; 1 ignored\r\nNETSEC-BOOT ended verdicts 0\r\n\
        test result: ok. 6 passed; 0 failed; 0 ignored\r\nNETSEC-BOOT ended live 0\r\n\
        NETSEC-BOOT done\r\n";

    #[test]
    fn a_good_boot_is_counted() {
        let report = Report::read(GOOD);
        assert_eq!(report.release.as_deref(), Some("6.1.0-50-cloud-amd64"));
        assert_eq!((report.passed, report.failed), (11, 0));
        assert_eq!(report.verdict(&["verdicts", "live"]), Ok(()));
    }

    #[test]
    fn whatever_is_missing_fails() {
        let wrong = |log: &str| {
            Report::read(log)
                .verdict(&["verdicts", "live"])
                .unwrap_err()
        };
        assert_eq!(wrong(""), "verdicts did not end");
        assert_eq!(
            wrong(&GOOD.replace("ended live 0", "ended live 101")),
            "live ended with 101"
        );
        assert_eq!(wrong(&GOOD.replace("ended live 0", "")), "live did not end");
        assert_eq!(
            wrong(&GOOD.replace("NETSEC-BOOT done", "")),
            "the end was not reached"
        );
        assert_eq!(
            wrong(&GOOD.replace("test result", "")),
            "0 passed, 0 failed"
        );
        assert_eq!(
            wrong(&GOOD.replace("6 passed; 0 failed", "5 passed; 1 failed")),
            "10 passed, 1 failed"
        );
    }
}
