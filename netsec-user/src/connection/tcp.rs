//! TCP's flags (RFC 9293, 3.1).

/// No more data from the sender.
pub const FIN: u8 = 0x01;
/// Sequence numbers are agreed upon.
pub const SYN: u8 = 0x02;
/// The connection is refused or torn down.
pub const RST: u8 = 0x04;
/// What was sent so far is to be given to the application.
pub const PSH: u8 = 0x08;
/// The acknowledgement number counts.
pub const ACK: u8 = 0x10;
/// The urgent pointer counts.
pub const URG: u8 = 0x20;
/// The answer to a SYN.
pub const SYN_ACK: u8 = SYN | ACK;
