//! A guest process: what goes in and out, and how it ends.
mod parent;

use bytes::Bytes;
use parent::{Guest, IMPORTS, LIMITS};
use protocol::ids::ProgramHash;
use runtime::RunOutcome;
use runtime::guest::wire::{FromGuest, NoRun, ToGuest};
use std::process::Command;

const ECHO_AND_SPIN: &str = r#"
    (func (export "echo")
        (call $input_read (i32.const 16) (i32.const 0) (call $input_len))
        (call $output_write (i32.const 16) (call $input_len)))
    (func (export "spin") (loop $again (br $again)))"#;

fn text(body: &str) -> String {
    format!("(module {IMPORTS} (memory (export \"memory\") 1 2) {body})")
}

#[test]
fn shards_come_back_in_order_with_what_they_made() {
    let mut guest = Guest::start(2);
    let program = guest.load_text(&text(ECHO_AND_SPIN));
    let inputs: Vec<Bytes> = (0..200u32)
        .map(|number| number.to_le_bytes().to_vec().into())
        .collect();
    guest.ask(7, program, "echo", LIMITS, inputs.clone());
    for (at, input) in (0..).zip(inputs) {
        let FromGuest::Ended {
            slot: 7,
            shard,
            result,
        } = guest.next()
        else {
            panic!("ended")
        };
        assert_eq!(shard, at);
        assert_eq!(result.unwrap().outcome, RunOutcome::Finished(input.to_vec()));
    }
}

#[test]
fn one_that_spins_is_stopped_and_its_neighbour_is_not_disturbed() {
    let mut guest = Guest::start(2);
    let program = guest.load_text(&text(ECHO_AND_SPIN));
    let limits = runtime::Limits {
        time_ms: 600_000,
        wall_ms: 600_000,
        ..LIMITS
    };
    guest.ask(0, program, "spin", limits, vec![Bytes::new(), Bytes::new()]);
    guest.ask(1, program, "echo", LIMITS, vec![Bytes::from_static(b"beside it")]);
    let (slot, report) = guest.report();
    assert_eq!(
        (slot, report.outcome),
        (1, RunOutcome::Finished(b"beside it".to_vec()))
    );
    guest.send(&ToGuest::Stop {
        slot: 0,
        shards: vec![0, 1],
    });
    for _ in 0..2 {
        let (slot, report) = guest.report();
        assert_eq!((slot, report.outcome), (0, RunOutcome::Stopped));
    }
}

#[test]
fn what_is_reported_early_does_not_wait_for_what_runs() {
    let mut guest = Guest::start(1);
    let body = r#"(func (export "run")
        (call $input_read (i32.const 0) (i32.const 0) (i32.const 1))
        (if (i32.load8_u (i32.const 0)) (then (loop $again (br $again)))))"#;
    let program = guest.load_text(&text(body));
    let limits = runtime::Limits {
        time_ms: 600_000,
        wall_ms: 600_000,
        ..LIMITS
    };
    let inputs = vec![Bytes::from_static(&[0]), Bytes::from_static(&[1])];
    guest.ask(0, program, "run", limits, inputs);
    assert_eq!(guest.report().1.outcome, RunOutcome::Finished(vec![]));
    guest.send(&ToGuest::Stop {
        slot: 0,
        shards: vec![1],
    });
    assert_eq!(guest.report().1.outcome, RunOutcome::Stopped);
}

#[test]
fn what_was_not_loaded_or_does_not_fit_is_told_for_every_shard() {
    let mut guest = Guest::start(1);
    let foreign = guest.load_text(r#"(module (import "env" "open" (func)) (func (export "run")))"#);
    let unknown = ProgramHash::of(b"never loaded");
    for (program, word) in [(foreign, "env"), (unknown, "not loaded")] {
        guest.ask(0, program, "run", LIMITS, vec![Bytes::new(), Bytes::new()]);
        for _ in 0..2 {
            let FromGuest::Ended {
                result: Err(NoRun::Unfit(why)),
                ..
            } = guest.next()
            else {
                panic!("unfit")
            };
            assert!(why.contains(word), "{why}");
        }
    }
}

#[test]
fn it_ends_with_its_parent_and_at_nonsense() {
    let mut guest = Guest::start(1);
    // A list that is longer than the frame.
    let nonsense = ToGuest::Load {
        program: ProgramHash::of(b""),
        bytes: 4,
    };
    guest.send(&nonsense);
    guest.send(&ToGuest::Forget {
        program: ProgramHash::of(b""),
    });
    // Four bytes of the second frame were taken for code, and the rest is no frame.
    assert!(guest.try_next().is_err());
    assert!(guest.child.wait().unwrap().success());
}

#[test]
fn signals_that_are_meant_for_the_worker_do_not_end_it() {
    let mut guest = Guest::start(1);
    let program = guest.load_text(&text(ECHO_AND_SPIN));
    for signal in ["-TERM", "-INT", "-HUP"] {
        let pid = guest.child.id().to_string();
        assert!(
            Command::new("kill")
                .args([signal, &pid])
                .status()
                .unwrap()
                .success()
        );
    }
    let report = guest.run(program, "echo", LIMITS);
    assert_eq!(report.outcome, RunOutcome::Finished(vec![]));
}
