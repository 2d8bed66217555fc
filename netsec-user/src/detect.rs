//! Behaviour that no signature sees: scans, floods, guessing, beacons, exfiltration, tunnels.

pub mod settings;

pub use self::settings::DetectSettings;
