//! What other sensors say, put together with what the kernel saw.

mod contact;
mod counts;
mod sides;
mod site;
mod suspicious;

pub use self::contact::{Contact, Outcome};
pub use self::counts::{AlertCounts, SignatureCount, SourceCount};
pub use self::sides::Sides;
pub use self::site::{Course, Site};
pub use self::suspicious::{PortRangeError, SuspiciousPort, SuspiciousPorts};
