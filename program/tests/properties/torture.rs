//! Modules full of floats, from a seed: NaNs of every kind through every instruction, local, block and call.
use crate::generate::{F32_BITS, F64_BITS, Random};

#[derive(Clone, Copy, PartialEq, Eq)]
enum Type {
    I32,
    I64,
    F32,
    F64,
    V128,
}
use Type::{F32, F64, I32, I64, V128};

const ALL: [Type; 5] = [I32, I64, F32, F64, V128];
const FUNCTIONS: u32 = 3;
const STATEMENTS: u32 = 8;
const DEPTH: u32 = 3;

impl Type {
    fn name(self) -> &'static str {
        match self {
            I32 => "i32",
            I64 => "i64",
            F32 => "f32",
            F64 => "f64",
            V128 => "v128",
        }
    }
}

/// Every function takes and gives one value of each type, in the types' order.
fn signature() -> String {
    let names = ALL.map(Type::name).join(" ");
    format!("(param {names}) (result f64 v128 f32)")
}

/// The module of a seed: functions that call those before them, and an entry for each.
pub(crate) fn module(seed: u64) -> Vec<u8> {
    let mut maker = Maker {
        random: Random::new(seed ^ 0xf10a_75ed),
        calls: 0,
    };
    let mut text = String::from(
        "(module (memory (export \"memory\") 1 1) (data (i32.const 0) \"\\01\\00\\00\\00\\00\\00\\f0\\7f\\ff\\ff\\ff\\7f\")",
    );
    for ty in ALL {
        let first = maker.leaf(ty, false);
        text += &format!("(global $g{name} (mut {name}) {first})", name = ty.name());
    }
    for number in 0..FUNCTIONS {
        maker.calls = number;
        let statements: String = (0..STATEMENTS).map(|_| maker.statement(2)).collect();
        let results: String = [F64, V128, F32].map(|ty| maker.expression(ty, DEPTH)).concat();
        // Two locals of each type: the parameters and as many more.
        let more = ALL.map(Type::name).join(" ");
        text += &format!(
            "(func $f{number} {} (local {more}) (local $turns i32) {statements} {results})",
            signature()
        );
        text += &maker.entry(number);
    }
    text += ")";
    wat::parse_str(&text).unwrap_or_else(|error| panic!("{error}\n{text}"))
}

struct Maker {
    random: Random,
    /// Functions that can be called.
    calls: u32,
}

impl Maker {
    fn entry(&mut self, number: u32) -> String {
        let arguments: String = ALL.map(|ty| self.leaf(ty, false)).concat();
        format!(
            "(func (export \"e{number}\") (local f32 v128 f64) (call $f{number} {arguments}) (local.set 0) (local.set 1) (local.set 2)
             (f32.store (i32.const 1024) (local.get 0)) (v128.store (i32.const 1040) (local.get 1))
             (f64.store (i32.const 1056) (local.get 2)) (f64.store (i32.const 1064) (global.get $gf64))
             (f32.store (i32.const 1072) (global.get $gf32)) (v128.store (i32.const 1088) (global.get $gv128)))"
        )
    }

    fn local(&mut self, ty: Type) -> u32 {
        let place = ALL.iter().position(|other| *other == ty).unwrap_or(0);
        u32::try_from(place).unwrap_or(0) + self.random.choose(&[0, 5])
    }

    fn address(&mut self) -> String {
        format!(
            "(i32.const {})",
            self.random.choose(&[0, 4, 8, 16, 24, 64, 80, 96])
        )
    }

    fn statement(&mut self, depth: u32) -> String {
        let ty = self.random.choose(&[F32, F64, V128, F64, V128, I64]);
        let name = ty.name();
        match self.random.choose(&[0, 1, 2, 3, 3, 4, 5, 6]) {
            0 => format!("(global.set $g{name} {})", self.expression(ty, DEPTH)),
            1 => format!("({name}.store {} {})", self.address(), self.expression(ty, DEPTH)),
            2 if depth > 0 => format!(
                "(if {} (then {}) (else {}))",
                self.expression(I32, 2),
                self.statement(depth - 1),
                self.statement(depth - 1)
            ),
            4 if depth > 0 => format!(
                "(local.set $turns (i32.const 0)) (loop $again {} {} (local.set $turns (i32.add (local.get $turns) (i32.const 1))) \
                 (br_if $again (i32.lt_u (local.get $turns) (i32.const 3))))",
                self.flat(),
                self.flat()
            ),
            5 if self.calls > 0 => {
                let callee = self.random.choose(&(0..self.calls).collect::<Vec<_>>());
                let arguments: String = ALL.map(|ty| self.expression(ty, 2)).concat();
                let (a, b, c) = (self.local(F32), self.local(V128), self.local(F64));
                format!("(call $f{callee} {arguments}) (local.set {a}) (local.set {b}) (local.set {c})")
            }
            // Leaves the function with its three results, or not.
            6 if depth == 2 => format!(
                "(br_if 0 {} {} {} {}) (drop) (drop) (drop)",
                self.expression(F64, 2),
                self.expression(V128, 2),
                self.expression(F32, 2),
                self.expression(I32, 2)
            ),
            _ => self.flat(),
        }
    }

    /// A statement without others in it.
    fn flat(&mut self) -> String {
        let ty = self.random.choose(&[F32, F64, V128]);
        format!("(local.set {} {})", self.local(ty), self.expression(ty, DEPTH))
    }

    fn leaf(&mut self, ty: Type, in_function: bool) -> String {
        let name = ty.name();
        match self.random.choose(&[0, 0, 1, 1, 1, 2, 3]) {
            1 if in_function => format!("(local.get {})", self.local(ty)),
            2 if in_function => format!("(global.get $g{name})"),
            3 if in_function => format!("({name}.load {})", self.address()),
            _ => match ty {
                I32 => format!("(i32.const {})", self.random.choose(&[0, 1, -1, 7])),
                I64 => format!("(i64.const {})", self.random.choose(&F64_BITS)),
                F32 => format!(
                    "(f32.const {})",
                    float(f32::from_bits(self.random.choose(&F32_BITS)).into(), 0x3f_ffff)
                ),
                F64 => format!(
                    "(f64.const {})",
                    float(f64::from_bits(self.random.choose(&F64_BITS)), 0xdead_beef)
                ),
                V128 => format!(
                    "(v128.const i64x2 {} {})",
                    self.random.choose(&F64_BITS),
                    u64::from(self.random.choose(&F32_BITS)) << 32 | 1
                ),
            },
        }
    }

    fn expression(&mut self, ty: Type, depth: u32) -> String {
        if depth == 0 {
            return self.leaf(ty, true);
        }
        let name = ty.name();
        match self.random.choose(&[0, 1, 2, 3, 4, 5, 5, 5, 5, 5, 5, 5]) {
            0 => self.leaf(ty, true),
            1 => format!(
                "(select {} {} {})",
                self.expression(ty, depth - 1),
                self.expression(ty, depth - 1),
                self.expression(I32, depth - 1)
            ),
            2 => format!(
                "(if (result {name}) {} (then {}) (else {}))",
                self.expression(I32, depth - 1),
                self.expression(ty, depth - 1),
                self.expression(ty, depth - 1)
            ),
            3 => format!(
                "(block (result {name}) (br_if 0 {} {}) (drop) {})",
                self.expression(ty, depth - 1),
                self.expression(I32, depth - 1),
                self.expression(ty, depth - 1)
            ),
            4 => format!(
                "(local.tee {} {})",
                self.local(ty),
                self.expression(ty, depth - 1)
            ),
            _ => self.operation(ty, depth - 1),
        }
    }

    fn operation(&mut self, ty: Type, depth: u32) -> String {
        let (operation, takes) = match ty {
            I32 => self.random.choose(&I32_OPERATIONS),
            I64 => self.random.choose(&I64_OPERATIONS),
            F32 => self.random.choose(&F32_OPERATIONS),
            F64 => self.random.choose(&F64_OPERATIONS),
            V128 => self.random.choose(&V128_OPERATIONS),
        };
        let operands: String = takes.iter().map(|ty| self.expression(*ty, depth)).collect();
        format!("({operation} {operands})")
    }
}

/// A float as text; NaNs with a payload of `mask`'s bits.
fn float(value: f64, payload: u64) -> String {
    if value.is_nan() {
        let sign = if value.is_sign_negative() { "-" } else { "" };
        return format!("{sign}nan:0x{payload:x}");
    }
    if value.is_infinite() {
        return if value > 0.0 { "inf".into() } else { "-inf".into() };
    }
    format!("{value:?}")
}

type Operation = (&'static str, &'static [Type]);

const I32_OPERATIONS: [Operation; 10] = [
    ("i32.add", &[I32, I32]),
    ("i32.reinterpret_f32", &[F32]),
    ("f64.lt", &[F64, F64]),
    ("f32.ne", &[F32, F32]),
    ("i32.trunc_sat_f64_s", &[F64]),
    ("i32x4.extract_lane 1", &[V128]),
    ("i8x16.bitmask", &[V128]),
    ("v128.any_true", &[V128]),
    ("i32.wrap_i64", &[I64]),
    ("i32.and", &[I32, I32]),
];
const I64_OPERATIONS: [Operation; 6] = [
    ("i64.xor", &[I64, I64]),
    ("i64.reinterpret_f64", &[F64]),
    ("i64.trunc_sat_f32_u", &[F32]),
    ("i64x2.extract_lane 1", &[V128]),
    ("i64.extend_i32_s", &[I32]),
    ("i64.rotl", &[I64, I64]),
];
const F32_OPERATIONS: [Operation; 20] = [
    ("f32.add", &[F32, F32]),
    ("f32.sub", &[F32, F32]),
    ("f32.mul", &[F32, F32]),
    ("f32.div", &[F32, F32]),
    ("f32.min", &[F32, F32]),
    ("f32.max", &[F32, F32]),
    ("f32.sqrt", &[F32]),
    ("f32.ceil", &[F32]),
    ("f32.floor", &[F32]),
    ("f32.trunc", &[F32]),
    ("f32.nearest", &[F32]),
    ("f32.neg", &[F32]),
    ("f32.abs", &[F32]),
    ("f32.copysign", &[F32, F32]),
    ("f32.demote_f64", &[F64]),
    ("f32.reinterpret_i32", &[I32]),
    ("f32.convert_i64_s", &[I64]),
    ("f32x4.extract_lane 0", &[V128]),
    ("f32x4.extract_lane 3", &[V128]),
    ("f32.mul", &[F32, F32]),
];
const F64_OPERATIONS: [Operation; 20] = [
    ("f64.add", &[F64, F64]),
    ("f64.sub", &[F64, F64]),
    ("f64.mul", &[F64, F64]),
    ("f64.div", &[F64, F64]),
    ("f64.min", &[F64, F64]),
    ("f64.max", &[F64, F64]),
    ("f64.sqrt", &[F64]),
    ("f64.ceil", &[F64]),
    ("f64.floor", &[F64]),
    ("f64.trunc", &[F64]),
    ("f64.nearest", &[F64]),
    ("f64.neg", &[F64]),
    ("f64.abs", &[F64]),
    ("f64.copysign", &[F64, F64]),
    ("f64.promote_f32", &[F32]),
    ("f64.reinterpret_i64", &[I64]),
    ("f64.convert_i32_u", &[I32]),
    ("f64x2.extract_lane 0", &[V128]),
    ("f64x2.extract_lane 1", &[V128]),
    ("f64.add", &[F64, F64]),
];
const V128_OPERATIONS: [Operation; 56] = [
    ("f32x4.add", &[V128, V128]),
    ("f32x4.sub", &[V128, V128]),
    ("f32x4.mul", &[V128, V128]),
    ("f32x4.div", &[V128, V128]),
    ("f32x4.min", &[V128, V128]),
    ("f32x4.max", &[V128, V128]),
    ("f32x4.pmin", &[V128, V128]),
    ("f32x4.pmax", &[V128, V128]),
    ("f32x4.sqrt", &[V128]),
    ("f32x4.ceil", &[V128]),
    ("f32x4.floor", &[V128]),
    ("f32x4.trunc", &[V128]),
    ("f32x4.nearest", &[V128]),
    ("f32x4.neg", &[V128]),
    ("f32x4.abs", &[V128]),
    ("f32x4.splat", &[F32]),
    ("f32x4.replace_lane 2", &[V128, F32]),
    ("f32x4.demote_f64x2_zero", &[V128]),
    ("f32x4.convert_i32x4_s", &[V128]),
    ("f32x4.lt", &[V128, V128]),
    ("f64x2.add", &[V128, V128]),
    ("f64x2.sub", &[V128, V128]),
    ("f64x2.mul", &[V128, V128]),
    ("f64x2.div", &[V128, V128]),
    ("f64x2.min", &[V128, V128]),
    ("f64x2.max", &[V128, V128]),
    ("f64x2.pmin", &[V128, V128]),
    ("f64x2.pmax", &[V128, V128]),
    ("f64x2.sqrt", &[V128]),
    ("f64x2.ceil", &[V128]),
    ("f64x2.floor", &[V128]),
    ("f64x2.trunc", &[V128]),
    ("f64x2.nearest", &[V128]),
    ("f64x2.neg", &[V128]),
    ("f64x2.abs", &[V128]),
    ("f64x2.splat", &[F64]),
    ("f64x2.replace_lane 1", &[V128, F64]),
    ("f64x2.promote_low_f32x4", &[V128]),
    ("f64x2.convert_low_i32x4_u", &[V128]),
    ("f64x2.ge", &[V128, V128]),
    ("i32x4.trunc_sat_f32x4_s", &[V128]),
    ("i32x4.trunc_sat_f64x2_u_zero", &[V128]),
    ("i64x2.add", &[V128, V128]),
    ("i8x16.add", &[V128, V128]),
    ("v128.and", &[V128, V128]),
    ("v128.xor", &[V128, V128]),
    ("v128.not", &[V128]),
    ("v128.bitselect", &[V128, V128, V128]),
    ("i8x16.swizzle", &[V128, V128]),
    (
        "i8x16.shuffle 8 9 10 11 12 13 14 15 16 17 18 19 20 21 22 23",
        &[V128, V128],
    ),
    (
        "i8x16.shuffle 4 5 6 7 0 1 2 3 20 21 22 23 28 29 30 31",
        &[V128, V128],
    ),
    (
        "i8x16.shuffle 1 2 3 4 5 6 7 8 17 18 19 20 21 22 23 24",
        &[V128, V128],
    ),
    ("i64x2.replace_lane 0", &[V128, I64]),
    ("i32x4.splat", &[I32]),
    ("f64x2.mul", &[V128, V128]),
    ("f32x4.mul", &[V128, V128]),
];
