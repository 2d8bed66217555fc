//! Blocks while the journal cannot be written, and when netsec is killed while it writes.

use std::fs::{self, File};
use std::io::Write as _;
use std::net::Ipv4Addr;
use std::path::PathBuf;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::thread;

use anyhow::{Result, ensure};
use netsec_tests::kernel;
use netsec_tests::netns::wait_for;
use netsec_tests::sensor::Sensor;
use netsec_tests::suspect::{Suspect, Victim};
use nix::mount::{MntFlags, MsFlags, mount, umount2};
use nix::sys::signal::Signal;

const BAD: Ipv4Addr = Ipv4Addr::new(198, 51, 100, 1);

/// A file system of a megabyte.
struct SmallDisk(PathBuf);

impl SmallDisk {
    fn mount(path: PathBuf) -> Result<Self> {
        fs::create_dir(&path)?;
        let flags = MsFlags::empty();
        mount(Some("tmpfs"), &path, Some("tmpfs"), flags, Some("size=1m"))?;
        Ok(Self(path))
    }

    /// Takes up all that is left.
    fn fill(&self) -> Result<()> {
        let mut file = File::create(self.0.join("filler"))?;
        while file.write_all(&[0; 4096]).is_ok() {}
        Ok(())
    }

    fn empty(&self) -> Result<()> {
        Ok(fs::remove_file(self.0.join("filler"))?)
    }
}

impl Drop for SmallDisk {
    fn drop(&mut self) {
        // Nothing more can be done about a failure.
        let _failed = umount2(&self.0, MntFlags::MNT_DETACH);
    }
}

#[test]
fn a_full_disk_stops_no_block_and_loses_none() {
    if kernel::object().unwrap().is_none() {
        return;
    }
    let mut sensor = Sensor::new().unwrap();
    sensor.add_source(BAD).unwrap();
    let disk = SmallDisk::mount(sensor.path("state").into()).unwrap();
    sensor.start(&["--enforce"]).unwrap();
    let victim = Victim::new(&sensor.pair).unwrap();
    let suspect = Suspect::connect(&sensor.pair, BAD, &victim).unwrap();
    sensor.done("block add 203.0.113.1 --for 1h").unwrap();
    disk.fill().unwrap();
    let said = sensor
        .done("block add 198.51.100.1 --for 1h --reason full")
        .unwrap();
    assert!(said.contains("verified in kernel map"), "{said}");
    assert!(said.contains("not recorded"), "{said}");
    assert!(!suspect.reaches(&victim).unwrap());
    let status = sensor.done("status").unwrap();
    assert!(
        status.contains("1 decisions and events not recorded"),
        "{status}"
    );
    let why = sensor.done("why 198.51.100.1").unwrap();
    assert!(why.contains("reason: full"), "{why}");
    disk.empty().unwrap();
    wait_for("the journal catches up", || {
        Ok(sensor.done("status")?.contains("journal fine"))
    })
    .unwrap();
    sensor.end(Signal::SIGKILL).unwrap();
    sensor.start(&["--enforce"]).unwrap();
    assert!(!suspect.reaches(&victim).unwrap());
    let list = sensor.done("block list").unwrap();
    assert!(
        list.contains("203.0.113.1") && list.contains("full"),
        "{list}"
    );
}

/// What the command has acknowledged is there after a kill in the midst of further blocks.
#[test]
fn a_kill_while_blocks_are_written_loses_none_that_was_acknowledged() {
    if kernel::object().unwrap().is_none() {
        return;
    }
    let mut sensor = Sensor::new().unwrap();
    let mut acknowledged = Vec::new();
    for round in 0..3_u8 {
        sensor.start(&["--enforce"]).unwrap();
        let count = AtomicUsize::new(0);
        let done = thread::scope(|scope| {
            let adding = scope.spawn(|| add(&sensor, round, &count));
            wait_for(
                "some are blocked",
                || Ok(count.load(Ordering::Relaxed) >= 3),
            )
            .unwrap();
            let running = sensor.running().unwrap();
            running.signal(Signal::SIGKILL).unwrap();
            adding.join().unwrap()
        });
        assert!(
            done.len() >= 3 && done.len() < 255,
            "killed in the midst of it"
        );
        acknowledged.extend(done);
        sensor.end(Signal::SIGKILL).unwrap();
    }
    sensor.start(&["--enforce"]).unwrap();
    let status = sensor.done("status").unwrap();
    assert!(status.contains("journal fine"), "{status}");
    let list = sensor.done("block list -o csv").unwrap();
    for address in &acknowledged {
        assert!(
            list.contains(&format!("{address}/32,")) || list.contains(&format!("{address},")),
            "{address}: {list}"
        );
    }
    assert!(
        sensor
            .done("block verify")
            .unwrap()
            .contains("all in the kernel's table")
    );
}

/// Blocks one address after the other until that fails, and gives those that were blocked.
fn add(sensor: &Sensor, round: u8, count: &AtomicUsize) -> Vec<String> {
    let attempt = |number: u8| -> Result<String> {
        let address = format!("203.0.{round}.{number}");
        let (code, said) = sensor.netsec(&format!("block add {address} --for 1h"))?;
        ensure!(code == 0, "{said}");
        count.fetch_add(1, Ordering::Relaxed);
        Ok(address)
    };
    (1..=255).map_while(|number| attempt(number).ok()).collect()
}
