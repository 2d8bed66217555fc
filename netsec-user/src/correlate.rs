//! What other sensors say, put together with what the kernel saw.
//!
//! [`Join`] finds the connection of a log's row; [`Incidents`] gathers what speaks against an
//! offender; [`Disagreements`] says what one sensor saw and another did not. [`Correlator`] is all of
//! them together. Everything is bounded, with what makes room counted, and time is passed in.

mod activity;
mod contact;
mod correlator;
mod counts;
mod disagreement;
mod evidence;
mod in_order;
mod incident;
mod incidents;
mod join;
mod row;
mod sides;
mod site;
mod suspicious;
mod twice;

pub use self::activity::activity_of;
pub use self::contact::{Contact, Outcome};
pub use self::correlator::{CorrelateSettings, Correlator, Told};
pub use self::counts::{AlertCounts, SignatureCount, SourceCount};
pub use self::disagreement::{Disagreement, Disagreements};
pub use self::evidence::{Evidence, EvidenceKind, Observer, Witness};
pub use self::in_order::InOrder;
pub use self::incident::{
    Contacts, Found, Incident, IncidentId, Moment, NoIncidentId, Risk, Term, Traffic,
};
pub use self::incidents::{IncidentSettings, Incidents};
pub use self::join::{Join, JoinCounts, JoinOutcome, JoinSettings, Joined, Unjoined, Why};
pub use self::row::{AlertRow, Origin, Row, Says};
pub use self::sides::Sides;
pub use self::site::{Course, Site};
pub use self::suspicious::{PortRangeError, SuspiciousPort, SuspiciousPorts};
pub use self::twice::ToldTwice;
