//! The expression as a list of tests, each with where to go next.

use super::expression::{Expression, Operator, Test};
use super::subject::Subject;

/// Ends the program with this answer. Being out of range ends the loop in [`Program::holds`].
const ACCEPT: u16 = u16::MAX;
const REJECT: u16 = u16::MAX - 1;

/// Tests with jumps, as a BPF program has them: no test is asked whose answer cannot matter.
///
/// Built from the end, so a step's targets exist before it does; it runs from the last step to the
/// first, and jumps go to lower indices only.
#[derive(Clone, Debug)]
pub(super) struct Program {
    steps: Vec<Step>,
    entry: u16,
}

#[derive(Clone, Copy, Debug)]
struct Step {
    test: Test,
    if_true: u16,
    if_false: u16,
}

impl Program {
    /// `None` accepts everything.
    pub(super) fn compile(expression: Option<&Expression>) -> Self {
        let mut program = Self {
            steps: Vec::new(),
            entry: ACCEPT,
        };
        if let Some(expression) = expression {
            program.entry = program.add(expression, ACCEPT, REJECT);
            program.steps.shrink_to_fit();
        }
        program
    }

    #[inline]
    pub(super) fn holds(&self, subject: &Subject) -> bool {
        let mut at = self.entry;
        while let Some(step) = self.steps.get(usize::from(at)) {
            at = if step.test.holds(subject) {
                step.if_true
            } else {
                step.if_false
            };
        }
        at == ACCEPT
    }

    /// Adds an expression and returns where it starts.
    fn add(&mut self, expression: &Expression, if_true: u16, if_false: u16) -> u16 {
        match expression {
            Expression::Test(test) => {
                // The parser admits 4096 tests, so the index stays far below REJECT.
                let index = u16::try_from(self.steps.len()).unwrap_or(REJECT);
                self.steps.push(Step {
                    test: *test,
                    if_true,
                    if_false,
                });
                index
            }
            Expression::Not(inner) => self.add(inner, if_false, if_true),
            Expression::Chain { first, rest } => {
                // Where to go on when everything so far is true, and when it is false: `and` asks
                // its right side in the first case only, `or` in the second.
                let (mut on_true, mut on_false) = (if_true, if_false);
                for (operator, item) in rest.iter().rev() {
                    let start = self.add(item, on_true, on_false);
                    match operator {
                        Operator::And => on_true = start,
                        Operator::Or => on_false = start,
                    }
                }
                self.add(first, on_true, on_false)
            }
        }
    }
}
