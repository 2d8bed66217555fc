//! Logs that grow.
