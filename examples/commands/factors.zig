//! The prime factors of every number on standard input, a line for each, as factor prints them.
const std = @import("std");

pub fn main(init: std.process.Init) !void {
    var in_buffer: [4096]u8 = undefined;
    var out_buffer: [4096]u8 = undefined;
    var stdin = std.Io.File.stdin().reader(init.io, &in_buffer);
    var stdout = std.Io.File.stdout().writer(init.io, &out_buffer);
    const in = &stdin.interface;
    const out = &stdout.interface;
    while (try in.takeDelimiter('\n')) |line| {
        const number = try std.fmt.parseInt(u64, line, 10);
        try out.print("{d}:", .{number});
        try factor(out, number);
        try out.writeByte('\n');
    }
    try out.flush();
}

fn factor(out: *std.Io.Writer, number: u64) !void {
    var rest = number;
    var divisor: u64 = 2;
    while (divisor * divisor <= rest) {
        if (rest % divisor == 0) {
            try out.print(" {d}", .{divisor});
            rest /= divisor;
        } else divisor += if (divisor == 2) 1 else 2;
    }
    if (rest > 1) try out.print(" {d}", .{rest});
}
