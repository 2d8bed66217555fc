//! The stack of the kernel's programs as Linux before 6.9 counts it: a frame of each function on the longest
//! way through calls, in steps of 32 bytes, and 512 bytes in all (`check_max_stack_depth` in
//! `kernel/bpf/verifier.c`). Younger kernels count in smaller steps, and would not tell.

#![expect(clippy::print_stderr, reason = "tests say what they measured")]

use std::collections::{BTreeMap, BTreeSet};

use anyhow::{Context as _, Result, ensure};
use netsec_user::object::embedded;
use object::{Object as _, ObjectSection as _, ObjectSymbol as _, RelocationTarget, SymbolKind};

/// `MAX_BPF_STACK` of `linux/filter.h`.
const STACK_MAX: u32 = 512;

/// Bytes of `struct bpf_insn`.
const INSTRUCTION_BYTES: usize = 8;

/// Opcodes of `linux/bpf.h`.
const CALL: u8 = 0x85;
const MOVE: u8 = 0xbf;
const ADD_CONSTANT: u8 = 0x07;

/// The register that points behind the stack frame.
const FRAME: u8 = 10;

#[derive(Default)]
struct Function {
    stack_bytes: u32,
    calls: BTreeSet<String>,
}

/// The functions of an object, by name.
fn functions(object: &[u8]) -> Result<BTreeMap<String, Function>> {
    let file = object::File::parse(object)?;
    let mut functions = BTreeMap::new();
    for symbol in file.symbols() {
        let Some(index) = symbol.section_index() else {
            continue;
        };
        if symbol.kind() != SymbolKind::Text || symbol.size() == 0 {
            continue;
        }
        let section = file.section_by_index(index)?;
        let (begin, end) = (symbol.address(), symbol.address() + symbol.size());
        let code = section.data_range(begin, symbol.size())?.context("cut")?;
        let mut function = Function {
            stack_bytes: stack_bytes(code),
            ..Function::default()
        };
        for (at, relocation) in section.relocations() {
            let RelocationTarget::Symbol(target) = relocation.target() else {
                continue;
            };
            if !(begin..end).contains(&at) {
                continue;
            }
            if code.get(usize::try_from(at - begin)?) == Some(&CALL) {
                let name = file.symbol_by_index(target)?.name()?.to_owned();
                ensure!(!name.is_empty(), "a call of no name in {}", symbol.name()?);
                function.calls.insert(name);
            }
        }
        functions.insert(symbol.name()?.to_owned(), function);
    }
    Ok(functions)
}

/// How far below its frame's end a function reaches, bytes.
fn stack_bytes(code: &[u8]) -> u32 {
    let (instructions, _) = code.as_chunks::<INSTRUCTION_BYTES>();
    let mut deepest = 0;
    let mut before = [0; INSTRUCTION_BYTES];
    for instruction in instructions {
        let [opcode, registers, o0, o1, c0, c1, c2, c3] = *instruction;
        let (destination, source) = (registers & 0xf, registers >> 4);
        let offset = i32::from(i16::from_le_bytes([o0, o1]));
        let constant = i32::from_le_bytes([c0, c1, c2, c3]);
        // `r = r10; r += constant`: the address of something on the stack.
        let is_copy = before[..2] == [MOVE, FRAME << 4 | destination];
        let below = match opcode & 7 {
            1 if source == FRAME => offset,
            2 | 3 if destination == FRAME => offset,
            7 if opcode == ADD_CONSTANT && is_copy => constant,
            _ => 0,
        };
        deepest = deepest.min(below);
        before = *instruction;
    }
    deepest.unsigned_abs()
}

/// Bytes on the longest way through a function's calls.
fn chain_bytes(functions: &BTreeMap<String, Function>, name: &str) -> Result<u32> {
    let function = functions
        .get(name)
        .with_context(|| format!("no function {name}"))?;
    let mut most = 0;
    for called in &function.calls {
        most = most.max(chain_bytes(functions, called)?);
    }
    Ok(most + function.stack_bytes.max(1).next_multiple_of(32))
}

#[test]
fn older_kernels_have_stack_enough() {
    let functions = functions(embedded().unwrap()).unwrap();
    let calls = |name: &str| &functions[name].calls;
    assert!(calls("netsec").contains("netsec_v4"), "calls are seen");
    assert!(functions["netsec_any"].stack_bytes > 64);
    for program in [
        "netsec",
        "netsec_inner",
        "netsec_egress",
        "netsec_egress_inner",
        "netsec_clock",
    ] {
        let bytes = chain_bytes(&functions, program).unwrap();
        eprintln!("{program}: {bytes} bytes of stack");
        assert!(bytes <= STACK_MAX, "{program}: {bytes} bytes of stack");
    }
}
