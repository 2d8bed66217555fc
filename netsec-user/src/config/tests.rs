use std::fs;
use std::path::Path;

use super::*;
use crate::time::TimeSpan;

fn parse(text: &str) -> Result<Config, ConfigError> {
    Config::parse(Path::new("netsec.toml"), text)
}

fn with_arguments(arguments: &[&str]) -> Result<Config, ConfigError> {
    Sources {
        file: Some("/dev/null".into()),
        arguments: arguments.iter().map(|&text| text.to_owned()).collect(),
    }
    .load()
}

#[test]
fn nothing_is_all_defaults() {
    assert_eq!(parse("").unwrap(), Config::default());
    assert!(Config::default().check().is_ok());
}

#[test]
fn the_template_is_the_defaults_and_explains_every_key() {
    let text = template().unwrap();
    assert_eq!(parse(&text).unwrap(), Config::default());
    let mut before = "";
    for line in text.lines() {
        assert!(
            !line.contains(" = ") || before.starts_with("# ") || line.starts_with('#'),
            "{line} is not explained"
        );
        before = line;
    }
}

#[test]
fn an_unknown_key_is_pointed_at() {
    let error = parse("[detect.scan]\nprots = 20\n")
        .unwrap_err()
        .to_string();
    assert!(
        error.starts_with("netsec.toml: TOML parse error at line 2, column 1"),
        "{error}"
    );
    assert!(error.contains("2 | prots = 20\n  | ^^^^^"), "{error}");
    assert!(
        error.contains("unknown field `prots`, expected one of `ports`"),
        "{error}"
    );
}

#[test]
fn wrong_values_are_refused() {
    for (text, expected) in [
        ("[detect]\nquiet = \"soon\"", "not a duration such as 5s"),
        (
            "[detect]\noff = [\"scans\"]",
            "`scans` is none of scan.vertical",
        ),
        ("[detect]\nhome = [\"10/8\"]", "invalid IP address syntax"),
        ("[detect.scan]\nports = -1", "invalid value"),
        (
            "[detect.scan]\nports = 0",
            "detect.scan.ports = 0: has to be at least 1",
        ),
        (
            "[detect.beacon]\nscore = 70",
            "detect.beacon.score = 70: has to be from 0 to 1",
        ),
        ("[detect.beacon]\nsize_weight = 0.5", "add up to 1"),
        (
            "[decide]\nescalation = []",
            "decide.escalation = []: has to name",
        ),
        (
            "[decide]\nescalation = [\"10m\", \"100000h\"]",
            "decide.escalation = 100000h: has to be from a second to ten years",
        ),
        (
            "[decide]\nunproven_packets_per_s = 16777216",
            "decide.unproven_packets_per_s = 16777216: cannot be limited",
        ),
    ] {
        let error = parse(text).unwrap_err().to_string();
        assert!(error.contains(expected), "{text}: {error}");
    }
}

#[test]
fn arguments_go_over_the_file() {
    let file = tempfile::NamedTempFile::new().unwrap();
    fs::write(file.path(), "[detect.scan]\nports = 7\nhosts = 8\n").unwrap();
    let sources = Sources {
        file: Some(file.path().to_owned()),
        arguments: vec!["detect.scan.ports=9".into(), "detect.quiet = 10m".into()],
    };
    let (config, origins) = sources.load_with_origins().unwrap();
    assert_eq!((config.detect.scan.ports, config.detect.scan.hosts), (9, 8));
    assert_eq!(config.detect.quiet, TimeSpan::from_secs(600));
    assert_eq!(origins.get("detect.scan.ports"), Some(&Origin::Argument));
    assert_eq!(
        origins.get("detect.scan.hosts"),
        Some(&Origin::File(file.path().to_owned()))
    );
    assert_eq!(origins.get("detect.scan.pings"), None);
}

#[test]
fn a_wrong_argument_is_named() {
    for (argument, expected) in [
        (
            "detect.scan.ports",
            "--set detect.scan.ports: has to be KEY=VALUE",
        ),
        ("detect.scan.prots=1", "unknown field `prots`"),
        (
            "detect.scan.ports=many",
            "--set detect.scan.ports=many: TOML parse error",
        ),
        (
            "detect.beacon.score=7",
            "detect.beacon.score = 7: has to be from 0 to 1",
        ),
    ] {
        let error = with_arguments(&[argument]).unwrap_err().to_string();
        assert!(error.contains(expected), "{argument}: {error}");
    }
    let lists = with_arguments(&["detect.off=[\"beacon\"]"]).unwrap();
    assert_eq!(lists.detect.off, [crate::finding::Kind::Beacon]);
}

#[test]
fn a_file_that_is_named_has_to_be_there() {
    let sources = Sources {
        file: Some("/nowhere/netsec.toml".into()),
        arguments: Vec::new(),
    };
    let error = sources.load().unwrap_err().to_string();
    assert!(
        error.contains("cannot read /nowhere/netsec.toml"),
        "{error}"
    );
    assert!(error.contains("netsec config init"), "{error}");
}
