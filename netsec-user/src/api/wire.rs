//! What goes over the socket.

use serde::{Deserialize, Serialize};

use crate::output::IncidentView;

/// Version of this module's types.
pub const VERSION: u32 = 1;

/// Longest line, bytes, in either direction.
pub const FRAME_BYTES_MAX: usize = 1 << 20;

/// Most entries of a list in one answer, and of an import in one request.
pub const PAGE: usize = 4_096;

/// Which list.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum ListName {
    /// What is dropped.
    Block,
    /// What always passes.
    Allow,
}

/// A request with its version.
#[derive(Clone, Debug, Serialize, Deserialize)]
pub struct Frame {
    /// [`VERSION`].
    pub version: u32,
    /// What is asked for.
    pub request: Request,
}

/// A [`Frame`] to be sent.
#[derive(Clone, Copy, Debug, Serialize)]
pub struct FrameRef<'a> {
    /// [`VERSION`].
    pub version: u32,
    /// What is asked for.
    pub request: &'a Request,
}

/// An answer with its version.
#[derive(Clone, Debug, Serialize, Deserialize)]
pub struct Reply {
    /// [`VERSION`].
    pub version: u32,
    /// What was asked for.
    #[serde(flatten)]
    pub result: Outcome,
}

/// What came of a request.
#[derive(Clone, Debug, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Outcome {
    /// The answer.
    Ok(Box<Answer>),
    /// Why there is none.
    Error(Failure),
}

/// Why a request was not served.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, thiserror::Error)]
#[error("{message}")]
pub struct Failure {
    /// For programs: `refused`, `privilege`, `malformed`, `version`, `failed`.
    pub kind: String,
    /// For people.
    pub message: String,
}

/// What can be asked for.
#[derive(Clone, Debug, Serialize, Deserialize)]
#[serde(tag = "do", rename_all = "snake_case", deny_unknown_fields)]
pub enum Request {
    /// How things are.
    Status {},
    /// Block or allow a prefix.
    Add {
        /// Which list.
        list: ListName,
        /// An address or a network.
        prefix: String,
        /// The rest.
        #[serde(default)]
        terms: Terms,
    },
    /// Take back what is on a list for a prefix, or all that a decision wants.
    Delete {
        /// Which list.
        list: ListName,
        /// An address or a network.
        prefix: Option<String>,
        /// Number of a decision.
        decision: Option<u64>,
    },
    /// Confirm a decision.
    Confirm {
        /// Its number.
        decision: u64,
    },
    /// A part of a list, in the order of keys.
    Page {
        /// Which list.
        list: ListName,
        /// Entries to skip: those up to the last one of the part before.
        after: Option<Entry>,
    },
    /// Begin to import a list.
    ImportBegin {
        /// Onto which list.
        list: ListName,
        /// The rest.
        terms: Terms,
    },
    /// Import a part.
    ImportPart {
        /// Onto which list.
        list: ListName,
        /// What `import_begin` answered.
        decision: u64,
        /// A line for each: the prefix and, behind a blank, the seconds that the list gives it. In one text,
        /// as a value for each would take longer to read than all the rest of an import.
        entries: String,
        /// As for `import_begin`.
        terms: Terms,
    },
    /// All parts of an import are there: the answer comes when they are on the disk.
    ImportEnd {
        /// What `import_begin` answered.
        decision: u64,
        /// How many entries it had.
        entries: u64,
    },
    /// Why an address is blocked or not, what speaks against it, or what a decision is.
    Why {
        /// An address, a decision's number, or an incident's name.
        subject: String,
    },
    /// Compare what is wanted with the kernel's table.
    Verify {},
    /// Change whether blocks are enforced.
    Mode {
        /// `detect`, `dry-run` or `enforce`.
        mode: String,
    },
    /// Change which packets are sampled.
    Sampling {
        /// `off`, `all`, `first` or `one-in`.
        which: String,
        /// The number that `first` and `one-in` take.
        #[serde(default)]
        n: u32,
    },
}

impl Request {
    /// Whether it changes something, which is for root.
    #[must_use]
    pub const fn is_write(&self) -> bool {
        !matches!(
            self,
            Self::Status {} | Self::Page { .. } | Self::Why { .. } | Self::Verify {}
        )
    }
}

/// On what terms something is blocked.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct Terms {
    /// Who asks, as far as the client knows; the agent adds the user.
    pub actor: String,
    /// Why.
    pub reason: String,
    /// Seconds.
    pub lifetime_s: Option<u64>,
    /// IP protocol number.
    pub protocol: Option<u8>,
    /// Destination port.
    pub port: Option<u16>,
    /// Packets a second that pass.
    pub packets_per_s: Option<u32>,
    /// Whether the guard's milder objections are set aside.
    pub force: bool,
    /// Seconds within which it has to be confirmed.
    pub confirm_s: Option<u64>,
    /// Whether only to say what would be done.
    pub dry_run: bool,
    /// `$SSH_CONNECTION` of whoever asks.
    pub ssh_connection: Option<String>,
}

/// What a request is answered by.
#[derive(Clone, Debug, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Answer {
    /// How things are.
    Status(Status),
    /// What was blocked or allowed, or would be.
    Added(Added),
    /// What was taken back.
    Deleted(Vec<Entry>),
    /// What was confirmed.
    Confirmed(Vec<Entry>),
    /// A part of a list.
    Page(Vec<Entry>),
    /// The decision of an import.
    Import(ImportResult),
    /// Why.
    Why(Why),
    /// What differs.
    Verified(Verified),
    /// Done.
    Done {},
}

/// How things are.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
pub struct Status {
    /// netsec's version.
    pub version: String,
    /// Whether a netsec is running; otherwise this is what one has left in the kernel.
    pub agent: bool,
    /// Interfaces and directions that are watched.
    pub hooks: Vec<String>,
    /// `detect`, `dry-run` or `enforce`.
    pub mode: String,
    /// What the agent's silence did, if it was silent for too long.
    pub silent: Option<String>,
    /// What becomes of program and blocks when netsec ends: `detach` or `keep`.
    pub on_exit: String,
    /// Seconds of silence after which `on_silence` holds; `None` is never.
    pub silence_s: Option<f64>,
    /// `static`, `open` or `closed`.
    pub on_silence: String,
    /// Blocks that are wanted.
    pub blocks: u64,
    /// Entries of the operator's allowlist.
    pub allowed: u64,
    /// What the guard protects besides.
    pub protected: u64,
    /// Blocks in force that a detector asked for.
    pub automatic: u64,
    /// Entries that the table holds, and how many it can.
    pub table: (u32, u32),
    /// Inserts that the table refused.
    pub refused: u64,
    /// Open connections.
    pub connections: u64,
    /// Why decisions are not recorded, if they are not.
    pub journal: Option<String>,
    /// Decisions and events not recorded.
    pub unrecorded: u64,
    /// Entries that the table had lost and has again.
    pub repaired: u64,
    /// Frames on this socket that were refused.
    pub bad_frames: u64,
}

/// What was blocked or allowed, or would be.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Added {
    /// The entry.
    pub entry: Entry,
    /// Whether only considered.
    pub dry_run: bool,
    /// Whether the kernel's table was seen to hold it.
    pub verified: bool,
    /// What it cuts.
    pub cuts: String,
    /// The mode: what is blocked is dropped under `enforce` only.
    pub mode: String,
    /// Where.
    pub interfaces: Vec<String>,
    /// Why it is not in the journal, if it is not.
    pub unrecorded: Option<String>,
}

/// An entry of a list.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Entry {
    /// Source addresses.
    pub prefix: String,
    /// IP protocol number that it is about.
    pub protocol: Option<u8>,
    /// Destination port that it is about.
    pub port: Option<u16>,
    /// `drop`, `limit` or `allow`.
    pub action: String,
    /// Packets a second that a limit lets pass.
    pub packets_per_s: Option<u32>,
    /// The decision.
    pub decision: u64,
    /// Who decided.
    pub actor: String,
    /// Why.
    pub reason: String,
    /// Until when, nanoseconds since 1970.
    pub until_ns: Option<i64>,
    /// Until when it has to be confirmed, nanoseconds since 1970.
    pub confirm_by_ns: Option<i64>,
    /// Packets dropped.
    pub packets: u64,
    /// Bytes of those.
    pub bytes: u64,
    /// The last of them, nanoseconds since 1970.
    pub last_ns: Option<i64>,
    /// Whether the kernel's table holds it.
    pub in_table: bool,
}

/// What came of a part of a list.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct ImportResult {
    /// The list's decision.
    pub decision: u64,
    /// Entries in force.
    pub entries: u64,
    /// The mode: what is blocked is dropped under `enforce` only.
    pub mode: String,
    /// Places in the part that were refused, and why.
    pub refused: Vec<(usize, String)>,
}

/// Why an address is blocked or not, what speaks against it, or what a decision is.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Why {
    /// What was asked for.
    pub subject: String,
    /// The mode: what is blocked is dropped under `enforce` only.
    pub mode: String,
    /// The entry that decides on the address's packets.
    pub entry: Option<Entry>,
    /// Why it always passes, if it does.
    pub protected: Option<String>,
    /// Decisions about it, the latest first, with what became of them.
    pub history: Vec<DecisionView>,
    /// What speaks against it.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub incident: Option<Box<IncidentView>>,
}

/// A decision and what became of it.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct DecisionView {
    /// Its number.
    pub id: u64,
    /// When, nanoseconds since 1970.
    pub time_ns: i64,
    /// What was decided, in words.
    pub what: String,
    /// Who.
    pub actor: String,
    /// Why.
    pub reason: String,
    /// Findings and alerts that it rests on.
    pub evidence: Vec<String>,
    /// Until when, nanoseconds since 1970.
    pub until_ns: Option<i64>,
    /// What it cut.
    pub would_cut: String,
    /// The command that takes it back.
    pub undo: String,
    /// What became of it, a line each.
    pub events: Vec<String>,
    /// The latest packet that it dropped and that was sampled: decoded, and its first bytes in hex.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub dropped: Option<(String, String)>,
}

/// What differs between what is wanted and the kernel's table.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Verified {
    /// Entries compared.
    pub compared: u64,
    /// How many differ.
    pub drift: u64,
    /// The first of those: the prefix, and `missing`, `unwanted` or `differs`.
    pub named: Vec<(String, String)>,
}
