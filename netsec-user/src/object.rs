//! The kernel object inside this program.

/// An ELF reader wants the file's own alignment of eight bytes.
#[repr(C, align(8))]
struct Aligned<Bytes: ?Sized>(Bytes);

static OBJECT: &Aligned<[u8]> =
    &Aligned(*include_bytes!(concat!(env!("OUT_DIR"), "/netsec.bpf.o")));

/// The kernel object this program was built with, eight-byte aligned; `None` when it was built
/// without one (`cargo xtask build-ebpf` makes it, `cargo xtask run` does both).
#[must_use]
pub const fn embedded() -> Option<&'static [u8]> {
    let Aligned(bytes) = OBJECT;
    if bytes.is_empty() { None } else { Some(bytes) }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_embedded_object_is_an_aligned_bpf_file() {
        let Some(object) = embedded() else {
            assert!(
                std::env::var_os("NETSEC_REQUIRE_KERNEL").is_none(),
                "built without the kernel object: run the tests by `cargo xtask test`"
            );
            return;
        };
        assert!(object.as_ptr().addr().is_multiple_of(8));
        assert_eq!(object.first_chunk(), Some(b"\x7fELF"));
        // e_machine of the ELF header: EM_BPF.
        assert_eq!(object.get(18..20), Some(&247u16.to_le_bytes()[..]));
    }
}
