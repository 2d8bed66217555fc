//! The columns that are read by name.

/// Declares the columns with the name that Zeek gives each.
macro_rules! fields {
    ($($(#[$doc:meta])* $field:ident = $name:literal,)*) => {
        /// A column of Zeek's that is read by name.
        #[derive(Clone, Copy, Debug, PartialEq, Eq)]
        #[expect(missing_docs, reason = "each is documented by the name it stands for")]
        pub enum Field { $($field,)* }

        impl Field {
            const ALL: &[Self] = &[$(Self::$field,)*];

            /// How many there are.
            pub(super) const COUNT: usize = Self::ALL.len();

            /// The column's name.
            #[must_use]
            pub const fn name(self) -> &'static str {
                match self { $(Self::$field => $name,)* }
            }

            /// The column of this name. Pipelines that take no dots write `id_orig_h`.
            #[must_use]
            pub fn of(name: &str) -> Option<Self> {
                match name {
                    $($name => Some(Self::$field),)*
                    "id_orig_h" => Some(Self::OrigH),
                    "id_orig_p" => Some(Self::OrigP),
                    "id_resp_h" => Some(Self::RespH),
                    "id_resp_p" => Some(Self::RespP),
                    "@stream" => Some(Self::Path),
                    _ => None,
                }
            }
        }
    };
}

fields! {
    Path = "_path",
    Ts = "ts",
    Uid = "uid",
    OrigH = "id.orig_h",
    OrigP = "id.orig_p",
    RespH = "id.resp_h",
    RespP = "id.resp_p",
    Proto = "proto",
    CommunityId = "community_id",
    Service = "service",
    Duration = "duration",
    OrigBytes = "orig_bytes",
    RespBytes = "resp_bytes",
    ConnState = "conn_state",
    LocalOrig = "local_orig",
    LocalResp = "local_resp",
    MissedBytes = "missed_bytes",
    History = "history",
    OrigPkts = "orig_pkts",
    OrigIpBytes = "orig_ip_bytes",
    RespPkts = "resp_pkts",
    RespIpBytes = "resp_ip_bytes",
    Query = "query",
    QtypeName = "qtype_name",
    RcodeName = "rcode_name",
    Rejected = "rejected",
    Method = "method",
    Host = "host",
    Uri = "uri",
    UserAgent = "user_agent",
    StatusCode = "status_code",
    Version = "version",
    ServerName = "server_name",
    Established = "established",
    ValidationStatus = "validation_status",
    AuthSuccess = "auth_success",
    AuthAttempts = "auth_attempts",
    Client = "client",
    Server = "server",
    Note = "note",
    Msg = "msg",
    Sub = "sub",
    Src = "src",
    Dst = "dst",
    P = "p",
    Name = "name",
    Addl = "addl",
    Notice = "notice",
    Peer = "peer",
    PercentLost = "percent_lost",
    Gaps = "gaps",
    Acks = "acks",
}

impl Field {
    /// Its place in tables of all columns.
    #[inline]
    pub(super) const fn index(self) -> usize {
        self as usize
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_column_is_found_by_its_name() {
        for (index, field) in Field::ALL.iter().enumerate() {
            assert_eq!(Field::of(field.name()), Some(*field));
            assert_eq!(field.index(), index);
        }
        assert_eq!(Field::of("id_resp_p"), Some(Field::RespP));
        assert_eq!(Field::of("nothing"), None);
    }
}
