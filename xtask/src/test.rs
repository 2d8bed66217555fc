//! `test`: every test of the workspace, against the kernel object as it is.

use std::env;
use std::ffi::OsString;

use anyhow::Result;

use crate::process::{self, say};
use crate::{build_ebpf, setup};

/// Set when a test that needs the kernel must fail where it cannot run, instead of being skipped.
const REQUIRE_KERNEL: &str = "NETSEC_REQUIRE_KERNEL";

/// The crate whose tests load programs and make network namespaces.
const KERNEL_TESTS: &str = "netsec-tests";

/// Makes cargo start test programs through `sudo`.
const SUDO_RUNNER: &str = "target.'cfg(all())'.runner=['sudo','--preserve-env']";

/// Who runs the tests that need the kernel.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum KernelTests {
    /// This process, with root's rights; or without them in CI, where a skip is a failure.
    Here,
    /// `sudo`.
    BySudo,
    /// Nobody.
    Skipped,
}

/// Builds the object and runs the tests; `args` go to `cargo test`.
pub(crate) fn run(args: &[OsString]) -> Result<()> {
    build_ebpf::build(&setup::tools()?)?;
    match kernel_tests(
        process::is_root(),
        env::var_os("CI").is_some(),
        process::find("sudo").is_some(),
    ) {
        KernelTests::Here => process::pass_through(
            process::cargo_with_object()
                .env(REQUIRE_KERNEL, "1")
                .args(["test", "--locked", "--workspace"])
                .args(args),
        ),
        KernelTests::BySudo => {
            host_tests(args)?;
            say(&format!(
                "the tests in {KERNEL_TESTS} need root: running them by sudo"
            ));
            process::pass_through(
                process::cargo_with_object()
                    .env(REQUIRE_KERNEL, "1")
                    .args(["test", "--locked", "--package", KERNEL_TESTS])
                    .args(["--config", SUDO_RUNNER])
                    .args(args),
            )
        }
        KernelTests::Skipped => {
            host_tests(args)?;
            say(&format!(
                "SKIPPED: the tests in {KERNEL_TESTS}, which load the program into the kernel. They \
                 need root, and there is no sudo here. Run `cargo xtask test` as root."
            ));
            Ok(())
        }
    }
}

fn host_tests(args: &[OsString]) -> Result<()> {
    process::pass_through(
        process::cargo_with_object()
            .args(["test", "--locked", "--workspace", "--exclude", KERNEL_TESTS])
            .args(args),
    )
}

const fn kernel_tests(is_root: bool, is_ci: bool, has_sudo: bool) -> KernelTests {
    match (is_root || is_ci, has_sudo) {
        (true, _) => KernelTests::Here,
        (false, true) => KernelTests::BySudo,
        (false, false) => KernelTests::Skipped,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn ci_never_skips() {
        for is_root in [false, true] {
            for has_sudo in [false, true] {
                assert_eq!(kernel_tests(is_root, true, has_sudo), KernelTests::Here);
            }
        }
        assert_eq!(kernel_tests(false, false, false), KernelTests::Skipped);
        assert_eq!(kernel_tests(false, false, true), KernelTests::BySudo);
    }
}
