//! The corpora's first inputs, from netsec's own generators.

use std::path::Path;
use std::{env, fs, io};

/// Names the folder for a target's seeds.
const FOLDER: &str = "NETSEC_FUZZ_SEEDS";

/// Writes the seeds to the folder that `NETSEC_FUZZ_SEEDS` names, if it is set.
///
/// libFuzzer reads the corpus after the target's initialisation, so that a target which is given the
/// same folder as its corpus begins with them.
///
/// # Panics
///
/// When the folder cannot be written: fuzzing without seeds would find nothing and look well.
pub fn write_if_asked(seeds: impl FnOnce() -> Vec<Vec<u8>>) {
    if let Some(folder) = env::var_os(FOLDER) {
        let folder = Path::new(&folder);
        if let Err(error) = write(folder, &seeds()) {
            panic!("cannot write seeds to {}: {error}", folder.display());
        }
    }
}

fn write(folder: &Path, seeds: &[Vec<u8>]) -> io::Result<()> {
    fs::create_dir_all(folder)?;
    for (number, seed) in seeds.iter().enumerate() {
        fs::write(folder.join(format!("seed-{number:04}")), seed)?;
    }
    Ok(())
}
