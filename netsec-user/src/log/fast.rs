//! Suricata's `fast.log`: one alert a line, read from its end, since the message in the middle may
//! hold anything.
//!
//! The grammar is Suricata's `src/alert-fastlog.c`: time, optional `[Drop]`, `[**] [gid:sid:rev]
//! message [**] [Classification: …] [Priority: n] {proto} source:port -> destination:port`.

use std::borrow::Cow;
use std::net::IpAddr;

use memchr::memmem;

use super::clock::LogClock;
use super::decode::Malformed;
use super::eve::{Alert, Event, EventDetail, Text};
use super::moment;
use super::tuple::{Tuple, protocol_number};

/// Bytes of `11/11/2011-13:46:44.032484`.
const TIME_BYTES: usize = 26;

/// Whether a line could be one: by its date.
pub(super) fn is_like(line: &[u8]) -> bool {
    matches!(line, [_, _, b'/', _, _, b'/', _, _, _, _, b'-', ..])
}

/// Reads a line; `clock` is the one that its time was taken from.
pub(super) fn parse<'a>(line: &'a [u8], clock: &mut LogClock) -> Result<Event<'a>, Malformed> {
    let missing = |what| move || Malformed::Fast(what);
    let time = line
        .get(..TIME_BYTES)
        .and_then(moment::american)
        .ok_or_else(missing("a time in front"))?;
    let rest = line.get(TIME_BYTES..).unwrap_or_default();
    let start = memmem::find(rest, b"[**] [").ok_or_else(missing("`[**] [gid:sid:rev]`"))?;
    let action = match rest.get(..start).unwrap_or_default().trim_ascii() {
        b"" => "allowed",
        b"[Drop]" => "blocked",
        // It would have been dropped, had Suricata been in the path.
        b"[wDrop]" => "allowed",
        _ => return Err(Malformed::Fast("a known word before `[**]`")),
    };
    let rest = rest.get(start + 6..).unwrap_or_default();
    let (ids, rest) = split(rest, b"] ").ok_or_else(missing("`]` behind its rule's numbers"))?;
    let (gid, sid, rev) = ids_of(ids).ok_or_else(missing("numbers as gid:sid:rev"))?;
    // From the right: the message may hold `[**]` itself.
    let end = memmem::rfind(rest, b" [**] [Classification: ")
        .ok_or_else(missing("`[**] [Classification: …]` behind the message"))?;
    let (message, tail) = (rest.get(..end), rest.get(end + 7..));
    let tail = tail.unwrap_or_default();
    let (category, severity) =
        class_and_priority(tail).ok_or_else(missing("`[Classification: …] [Priority: n]`"))?;
    let (protocol, tuple) = ends(tail)?;
    let alert = Alert {
        action: Text(Cow::Borrowed(action)),
        gid,
        sid,
        rev,
        signature: text(message.unwrap_or_default()),
        category: Some(category).filter(|text| &**text != "(null)"),
        severity,
        ..Alert::default()
    };
    let mut event = Event::new(clock.instant(time), EventDetail::Alert(Box::new(alert)));
    event.set_fast();
    event.tuple = tuple;
    event.protocol = protocol;
    Ok(event)
}

fn ids_of(ids: &[u8]) -> Option<(u32, u64, u32)> {
    let mut numbers = str::from_utf8(ids).ok()?.split(':');
    let found = (
        numbers.next()?.parse().ok()?,
        numbers.next()?.parse().ok()?,
        numbers.next()?.parse().ok()?,
    );
    numbers.next().is_none().then_some(found)
}

/// `Classification: Misc Attack] [Priority: 2] {TCP} …`; the class may hold brackets.
fn class_and_priority(tail: &[u8]) -> Option<(Text<'_>, u8)> {
    let at = memmem::rfind(tail, b"] [Priority: ")?;
    let class = tail.get(..at)?.strip_prefix(b"Classification: ")?;
    let (priority, _) = split(tail.get(at + 13..)?, b"]")?;
    let priority = str::from_utf8(priority).ok()?.parse().ok()?;
    Some((text(class), priority))
}

/// `{TCP} 10.0.0.1:1 -> 10.0.0.2:2`; alerts of the decoder end in `[**] [Raw pkt: …]` instead.
fn ends(tail: &[u8]) -> Result<(Option<u8>, Option<Tuple>), Malformed> {
    const MISSING: Malformed = Malformed::Fast("`{PROTOCOL} source:port -> destination:port`");
    let Some(open) = memmem::rfind(tail, b"] {") else {
        let is_raw = memmem::find(tail, b"] [**] [Raw pkt: ").is_some();
        return is_raw.then_some((None, None)).ok_or(MISSING);
    };
    let rest = tail.get(open + 3..).unwrap_or_default();
    let (name, rest) = split(rest, b"}").ok_or(MISSING)?;
    let protocol = str::from_utf8(name).ok().and_then(protocol_number);
    let rest = rest.trim_ascii();
    let (source, destination) = split(rest, b" -> ").ok_or(MISSING)?;
    let (source, source_port) = endpoint(source).ok_or(MISSING)?;
    let (destination, destination_port) = endpoint(destination).ok_or(MISSING)?;
    let tuple = Tuple {
        source,
        source_port,
        destination,
        destination_port,
        protocol,
    };
    Ok((protocol, Some(tuple)))
}

/// An address without brackets and, behind the last colon, a port.
fn endpoint(bytes: &[u8]) -> Option<(IpAddr, u16)> {
    let (address, port) = str::from_utf8(bytes.trim_ascii()).ok()?.rsplit_once(':')?;
    Some((address.parse().ok()?, port.parse().ok()?))
}

fn split<'a>(bytes: &'a [u8], at: &[u8]) -> Option<(&'a [u8], &'a [u8])> {
    let place = memmem::find(bytes, at)?;
    Some((bytes.get(..place)?, bytes.get(place + at.len()..)?))
}

fn text(bytes: &[u8]) -> Text<'_> {
    Text(String::from_utf8_lossy(bytes))
}

#[cfg(test)]
mod tests {
    use super::*;

    const TIME: &str = "11/11/2011-13:46:44.032484";

    fn read(rest: &str) -> String {
        let line = format!("{TIME}  {rest}");
        let event = parse(line.as_bytes(), &mut LogClock::default()).unwrap();
        let EventDetail::Alert(alert) = &event.detail else {
            panic!("an alert");
        };
        let ends = event.tuple.map(|t| {
            let (a, b) = (t.source_port, t.destination_port);
            format!("{} {a} {} {b}", t.source, t.destination)
        });
        let Text(signature) = &alert.signature;
        let class = alert.category.as_ref().map(|text| text.0.to_string());
        format!(
            "{} {}:{}:{} {signature}|{class:?}|{}|{:?}|{ends:?}",
            alert.action.0, alert.gid, alert.sid, alert.rev, alert.severity, event.protocol
        )
    }

    #[test]
    fn messages_may_hold_anything() {
        let line = "[**] [1:2200025:2] a [**] [Classification: x] [Priority: 9] {UDP} 1.1.1.1:1 -> \
                    2.2.2.2:2 [**] [Classification: Misc [x]] [Priority: 3] {TCP} 10.0.0.1:80 -> \
                    10.0.0.2:1024";
        assert_eq!(
            read(line),
            "allowed 1:2200025:2 a [**] [Classification: x] [Priority: 9] {UDP} 1.1.1.1:1 -> \
             2.2.2.2:2|Some(\"Misc [x]\")|3|Some(6)|Some(\"10.0.0.1 80 10.0.0.2 1024\")"
        );
    }

    #[test]
    fn null_icmp_ipv6_and_drops() {
        let line = "[Drop] [**] [1:1:0] (null) [**] [Classification: (null)] [Priority: 3] \
                    {IPv6-ICMP} fe80:0000:0000:0000:0000:0000:0000:0001:135 -> \
                    ff02:0000:0000:0000:0000:0001:ff00:0002:0";
        assert_eq!(
            read(line),
            "blocked 1:1:0 (null)|None|3|Some(58)|Some(\"fe80::1 135 ff02::1:ff00:2 0\")"
        );
        let line = "[wDrop] [**] [1:1:0] x [**] [Classification: y] [Priority: 3] {PROTO:103} \
                    10.0.0.1:0 -> 224.0.0.13:0";
        assert!(read(line).contains("Some(103)"));
    }

    #[test]
    fn decoder_events_have_no_ends() {
        let line = "[**] [1:2200003:2] SURICATA IPv4 truncated packet [**] [Classification: Generic \
                    Protocol Command Decode] [Priority: 3] [**] [Raw pkt: 00 11 ] [pcap file packet: \
                    1]";
        assert_eq!(
            read(line),
            "allowed 1:2200003:2 SURICATA IPv4 truncated packet|Some(\"Generic Protocol Command \
             Decode\")|3|None|None"
        );
    }

    #[test]
    fn every_cut_is_malformed_or_a_line_of_its_own() {
        let line = format!(
            "{TIME}  [**] [1:2200025:2] m [**] [Classification: c] [Priority: 3] {{TCP}} \
             10.0.0.1:80 -> 10.0.0.2:1024"
        );
        let cut =
            |length: usize| parse(&line.as_bytes()[..length], &mut LogClock::default()).is_ok();
        let whole: Vec<usize> = (0..=line.len()).filter(|length| cut(*length)).collect();
        // A number that lost its last digits is still a number.
        assert_eq!(whole, (line.len() - 3..=line.len()).collect::<Vec<_>>());
    }
}
