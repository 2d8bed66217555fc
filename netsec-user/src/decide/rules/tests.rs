use netsec_common::packet::protocol;

use super::*;
use crate::finding::{Evidence as Figures, Party};
use crate::log::{At, Decoder, EventDetail, Line, Record, Wanted};
use crate::time::WallTime;

fn finding(kind: Kind, severity: Severity, attacker: Party, number: u8) -> Finding {
    Finding {
        id: 77,
        kind,
        severity,
        state: State::Start,
        attacker,
        attacker_proven: true,
        victim: Party::Host([10, 0, 0, 1].into()),
        service: Some((number, None)),
        start: WallTime::default(),
        end: WallTime::default(),
        evidence: Figures::new(),
        message: "1000 ports".to_owned(),
    }
}

fn host(text: &str) -> Party {
    Party::Host(text.parse().unwrap())
}

fn rules(settings: EnforceSettings) -> Rules {
    let site = Site {
        allow: vec!["198.51.100.0/24".parse().unwrap()],
        ..Site::default()
    };
    Rules::new(settings, site)
}

fn alert(settings: EnforceSettings, more: &str) -> Result<Evidence, Spared> {
    signature(2_001_219, settings, more)
}

fn signature(sid: u64, settings: EnforceSettings, more: &str) -> Result<Evidence, Spared> {
    let line = format!(
        r#"{{"timestamp":"2021-06-06T15:59:46Z","flow_id":9,"event_type":"alert","src_ip":"203.0.113.9","src_port":1,"dest_ip":"10.0.0.1","dest_port":22,"proto":"TCP","alert":{{"gid":1,"signature_id":{sid},"signature":"ET SCAN","category":"Attempted Information Leak","severity":2{more}}}}}"#
    );
    let mut decoder = Decoder::new(Wanted::Alerts);
    let Line::Record(Record::Event(event)) = decoder.decode(line.as_bytes()) else {
        return Err(Spared::NoAddresses);
    };
    let EventDetail::Alert(alert) = &event.detail else {
        return Err(Spared::NoAddresses);
    };
    let place = Place {
        file: "eve.json",
        at: At::Line(17),
    };
    rules(settings).alert(&event, alert, place)
}

fn severe() -> EnforceSettings {
    EnforceSettings {
        alert_severity: 2,
        ..EnforceSettings::default()
    }
}

#[test]
fn nothing_leads_to_a_block_unless_told_to() {
    let none = rules(EnforceSettings::default());
    assert!(none.is_empty());
    assert_eq!(none.to_string(), "none");
    for kind in Kind::ALL {
        let worst = finding(kind, Severity::Critical, host("203.0.113.9"), protocol::TCP);
        assert_eq!(none.finding(&worst), Err(Spared::NoRule), "{kind}");
    }
    assert_eq!(alert(EnforceSettings::default(), ""), Err(Spared::NoRule));
}

#[test]
fn a_finding_names_one_host_outside() {
    let all = rules(EnforceSettings {
        findings: Kind::ALL.to_vec(),
        finding_severity: Severity::Medium,
        ..EnforceSettings::default()
    });
    let by = |attacker, severity| {
        all.finding(&finding(
            Kind::ScanVertical,
            severity,
            attacker,
            protocol::TCP,
        ))
    };
    let outside = host("203.0.113.9");
    let evidence = by(outside, Severity::Medium).unwrap();
    assert_eq!(evidence.ids, ["finding 77"]);
    assert_eq!(evidence.proof, Proof::Handshake);
    assert_eq!(evidence.reason, "1000 ports");
    assert_eq!(by(outside, Severity::Low), Err(Spared::NoRule));
    for party in [Party::Spoofed, Party::Reflectors, Party::Many] {
        assert_eq!(by(party, Severity::Critical), Err(Spared::NoSingleHost));
    }
    for spared in [
        "10.9.9.9",
        "198.51.100.7",
        "127.0.0.1",
        "::ffff:10.0.0.1",
        "fe80::1",
    ] {
        let found = by(host(spared), Severity::Critical);
        assert_eq!(found, Err(Spared::NobodyOutside), "{spared}");
    }
    let mut over = finding(Kind::ScanVertical, Severity::High, outside, protocol::TCP);
    over.state = State::End;
    assert_eq!(all.finding(&over), Err(Spared::Over));
}

#[test]
fn what_can_be_forged_proves_nothing() {
    let all = rules(EnforceSettings {
        findings: Kind::ALL.to_vec(),
        ..EnforceSettings::default()
    });
    let outside = host("203.0.113.9");
    let udp = finding(Kind::TunnelDns, Severity::High, outside, protocol::UDP);
    assert_eq!(all.finding(&udp).unwrap().proof, Proof::None);
    let mut one_way = finding(Kind::ScanVertical, Severity::High, outside, protocol::TCP);
    one_way.evidence = Figures::new().text("handshake", "203.0.113.9:4000 > 10.0.0.1:22");
    let shown = all.finding(&one_way).unwrap();
    assert_eq!(shown.proof, Proof::Handshake);
    let named = ["finding 77", "handshake 203.0.113.9:4000 > 10.0.0.1:22"];
    assert_eq!(shown.ids, named);
    one_way.attacker_proven = false;
    assert_eq!(all.finding(&one_way).unwrap().proof, Proof::None);
}

#[test]
fn rules_on_alerts() {
    let by = |settings| alert(settings, "").map(|evidence| evidence.reason);
    assert_eq!(by(severe()), Ok("ET SCAN (severity 2 <= 2)".to_owned()));
    let stricter = EnforceSettings {
        alert_severity: 1,
        alert_sids: vec![2_001_219],
        ..severe()
    };
    assert_eq!(by(stricter.clone()), Ok("ET SCAN (sid 2001219)".to_owned()));
    let excepted = EnforceSettings {
        alert_except_sids: vec![2_001_219],
        ..stricter
    };
    assert_eq!(by(excepted), Err(Spared::Excepted));
    let of_class = |severity, class: &str| EnforceSettings {
        alert_severity: severity,
        alert_categories: vec![class.to_owned()],
        ..EnforceSettings::default()
    };
    assert!(by(of_class(0, "attempted information leak")).is_ok());
    assert_eq!(by(of_class(0, "Misc Attack")), Err(Spared::NoRule));
    assert_eq!(
        by(of_class(1, "attempted information leak")),
        Err(Spared::NoRule)
    );
}

#[test]
fn an_alert_is_named_with_its_line() {
    let evidence = alert(severe(), "").unwrap();
    assert_eq!(
        evidence.ids,
        ["alert 1:2001219 flow 9 at 2021-06-06T15:59:46.000000Z eve.json:17"]
    );
    assert!(matches!(evidence.proof, Proof::Connection(key) if key.destination_port() == 22));
}

#[test]
fn noise_and_what_was_dropped_is_spared_whatever_the_rules() {
    let all = EnforceSettings {
        alert_severity: 255,
        alert_sids: vec![2_200_073, 2_210_044],
        ..EnforceSettings::default()
    };
    for sid in [2_200_073, 2_200_003, 2_210_044, 2_221_010] {
        assert_eq!(signature(sid, all.clone(), ""), Err(Spared::Noise), "{sid}");
    }
    let dropped = alert(all, r#","action":"blocked""#);
    assert_eq!(dropped, Err(Spared::Dropped));
}
