//! Logs of other sensors: Suricata's `eve.json` and `fast.log`, Zeek's logs in either form, and
//! netsec's own JSON Lines.
//!
//! What a line is, is told by the line itself and by the header before it, never by a file's name.
//! Fields are borrowed from the line where they can be. Log text is data: addresses come from typed
//! fields only, nothing is searched for in free text.
//!
//! A line that cannot be read is counted with its reason and is never fatal; for every input
//! `read = used + ignored + malformed`, see [`Tally`].

mod address;
mod bound;
mod clock;
mod decode;
mod eve;
mod fast;
pub mod follow;
mod framing;
mod moment;
mod place;
mod reader;
mod record;
mod tally;
mod tuple;
mod zeek;

pub use self::bound::{TimeBound, TimeBoundError};
pub use self::clock::{LogClock, LogClockError};
pub use self::decode::{Decoder, Ignored, Line, Malformed, Wanted};
pub use self::eve::{
    Alert, AlertEnd, Anomaly, Dns, DnsQuery, Drop, EveFlow, Event, EventDetail, Flags, Http,
    InitiatorFlow, Stats, StatsCapture, StatsDecoder, Text, Tls, Verdict, decoder_noise,
};
pub use self::framing::{Framing, LINE_BYTES_MAX, LineBuffer, Piece};
pub use self::place::{At, Place};
pub use self::reader::{LogError, LogReader};
pub use self::record::Record;
pub use self::tally::{BadLine, Tally};
pub use self::tuple::Tuple;
pub use self::zeek::{
    CaptureLoss, Conn, ConnState, Detail, Field, Notice, Row, Schema, Value, Zeek, ZeekDns,
    ZeekHttp, ZeekSsh, ZeekSsl, ZeekWeird,
};
