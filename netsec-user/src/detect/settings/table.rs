//! Settings whose documentation can be printed.

/// A setting, as `netsec detectors list` and `netsec config init` explain it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Threshold {
    /// Its key.
    pub name: &'static str,
    /// What it means.
    pub what: &'static str,
    /// Where the default comes from.
    pub source: &'static str,
}

/// Defines a section of settings: fields with documentation, default and source.
macro_rules! section {
    (
        #[doc = $about:literal]
        $name:ident {
            $(#[doc = $what:literal] $field:ident: $type:ty = $default:expr, $source:literal;)+
        }
    ) => {
        #[doc = $about]
        #[derive(Clone, Debug, PartialEq, serde::Serialize, serde::Deserialize)]
        #[serde(deny_unknown_fields, default)]
        pub struct $name {
            $(
                #[doc = $what]
                #[doc = concat!("Default from: ", $source, ".")]
                pub $field: $type,
            )+
        }

        impl Default for $name {
            fn default() -> Self {
                Self { $($field: $default,)+ }
            }
        }

        impl $name {
            /// What the settings mean, in order.
            pub const THRESHOLDS: &'static [$crate::detect::settings::Threshold] = &[
                $($crate::detect::settings::Threshold {
                    name: stringify!($field),
                    what: $what,
                    source: $source,
                },)+
            ];
        }
    };
}

pub(crate) use section;
