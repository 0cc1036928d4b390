//! What Elytra promises, the tests that prove it, and what they ask for in their full form.

/// One promise, as users would read it.
pub(crate) struct Promise {
    pub(crate) number: u8,
    pub(crate) words: &'static str,
    /// What the full forms of its tests ask for.
    pub(crate) asked: &'static str,
    pub(crate) tests: &'static [Test],
}

/// A test of the name that the promise gives it.
pub(crate) struct Test {
    pub(crate) name: &'static str,
    pub(crate) place: Place,
}

/// Where a test is, and so how it is run.
#[derive(Clone, Copy)]
pub(crate) enum Place {
    /// A Rust test, as it is built for `npm test`.
    Rust {
        package: &'static str,
        target: &'static str,
    },
    /// A Rust test that computes for long, so it wants speed.
    FastRust {
        package: &'static str,
        target: &'static str,
    },
    /// A test in a real Chromium: its file.
    Browser(&'static str),
    /// `cargo xtask fuzz`.
    Fuzz,
}

const fn rust(name: &'static str, package: &'static str, target: &'static str) -> Test {
    let place = Place::Rust { package, target };
    Test { name, place }
}

const fn fast(name: &'static str, package: &'static str, target: &'static str) -> Test {
    let place = Place::FastRust { package, target };
    Test { name, place }
}

const fn browser(name: &'static str, file: &'static str) -> Test {
    Test {
        name,
        place: Place::Browser(file),
    }
}

/// In the order of their numbers.
pub(crate) const PROMISES: &[Promise] = &[
    Promise {
        number: 1,
        words: "If we said \"accepted\", it survives kill -9",
        asked: "1,000 kills, at least a million acknowledgements, 0 lost; serving again within 2 s with a million shards stored",
        tests: &[
            rust("crash_kill9_keeps_acks", "coordinator", "faults"),
            rust("crash_kill9_serves_again_soon", "coordinator", "faults"),
        ],
    },
    Promise {
        number: 2,
        words: "Each shard counts once, whatever is late, repeated or reordered",
        asked: "10 million operations, 0 double or missing, every stale one refused",
        tests: &[
            fast("fenced_completion_counts_once", "scheduler", "fencing"),
            rust("stale_epoch_never_acks", "coordinator", "store_contract"),
        ],
    },
    Promise {
        number: 3,
        words: "The same program and input give the same bytes in every engine",
        asked: "generated modules in Wasmtime at two levels, V8 at two and Chromium: 0 mismatches",
        tests: &[rust("bits_equal_across_engines", "program", "properties")],
    },
    Promise {
        number: 4,
        words: "Wrong shards stay under the level you chose",
        asked: "fast ≤ 1e-2, standard ≤ 1e-3, strict ≤ 1e-4 over at least a million shards, at the quoted price; live liars too",
        tests: &[
            fast("sabotage_policy_montecarlo", "sim", "sabotage"),
            rust("sabotage_end_to_end", "coordinator", "api"),
        ],
    },
    Promise {
        number: 5,
        words: "Honest volunteers are not punished",
        asked: "10,000 honest workers, of which some vanish, are slow or trap: none caught",
        tests: &[fast("honest_never_banned", "sim", "sabotage")],
    },
    Promise {
        number: 6,
        words: "A job cannot reach the network, storage, page or other tabs from a volunteer's browser",
        asked: "at least 30 probes from worker, frame and a hostile script: 0 canaries hear anything",
        tests: &[browser("browser_escape_matrix", "walls.spec.ts")],
    },
    Promise {
        number: 7,
        words: "A runaway job stops",
        asked: "in a tab within 3 s of its deadline; natively within 25 ms, 10,000 of them; one in 1,000 may be later, because the clock of a virtual machine jumps",
        tests: &[
            browser("runaway_stops_browser", "walls-limits.spec.ts"),
            rust("runaway_stops_native", "runtime", "promises"),
        ],
    },
    Promise {
        number: 8,
        words: "A job cannot use more memory than declared",
        asked: "at most its limit and 32 MiB; neighbours unaffected, the page alive",
        tests: &[
            browser("memory_bomb_contained", "walls-limits.spec.ts"),
            rust("memory_bomb_contained_native", "runtime", "promises"),
        ],
    },
    Promise {
        number: 9,
        words: "A module cannot jam a worker by being compiled",
        asked: "each bomb refused in 100 ms, or killed at 11 s or 512 MiB",
        tests: &[fast("compile_bomb_corpus", "runtime", "promises")],
    },
    Promise {
        number: 10,
        words: "Native workers give jobs nothing but input and output",
        asked: "0 files, sockets, programs or processes from the guest's time on; every attempt of an escaped guest denied",
        tests: &[rust("native_no_ambient_authority", "runtime", "promises")],
    },
    Promise {
        number: 11,
        words: "Only our own compiled code is ever loaded",
        asked: "10,000 flipped bits, swapped versions, targets and names: 0 loads",
        tests: &[rust("artifact_tamper", "runtime", "cache")],
    },
    Promise {
        number: 12,
        words: "One tenant never sees another's code, data or leftovers",
        asked: "every route with foreign, expired and no tokens, guessed ids: 404; 10,000 guests find 0 bytes of others",
        tests: &[
            rust("tenant_isolation_matrix", "coordinator", "api"),
            rust("no_residue", "runtime", "promises"),
        ],
    },
    Promise {
        number: 13,
        words: "No computing before you click, and Stop means stop",
        asked: "30 s of nothing before a click; idle within 3 s of Stop; refused inside another site's frame",
        tests: &[browser("consent_gate", "walls-consent.spec.ts")],
    },
    Promise {
        number: 14,
        words: "A closed tab costs little",
        asked: "half of the workers vanish, again and again: nothing lost, at most 1.6 times the ideal time",
        tests: &[fast("vanish_half_the_fleet", "sim", "vanish")],
    },
    Promise {
        number: 15,
        words: "A poison shard cannot take the job or the fleet down",
        asked: "given up after 5 attempts, the others finish, nobody's reputation suffers, the submitter sees it",
        tests: &[rust("poison_shard_dead_letters", "coordinator", "faults")],
    },
    Promise {
        number: 16,
        words: "Retrying a submission never makes two jobs",
        asked: "the same key from 50 clients at once, dropped answers and a crash: one job in each of 10,000 trials",
        tests: &[rust("submit_idempotent", "coordinator", "faults")],
    },
    Promise {
        number: 17,
        words: "Two coordinators on Redis behave as one",
        asked: "one killed, one stopped for 60 s: 0 lost, 0 double, taken over within the lease and 2 s",
        tests: &[rust("redis_kill_one_coordinator", "coordinator", "faults")],
    },
    Promise {
        number: 18,
        words: "Redis mode states its durability truthfully and recovers from a failover",
        asked: "refused without a file; 0 lost after a restart; what a failover forgot is asserted again",
        tests: &[
            rust("redis_durability_declared", "coordinator", "store_contract"),
            rust("redis_failover_reassert", "coordinator", "store_contract"),
        ],
    },
    Promise {
        number: 19,
        words: "Slow or hostile sockets cannot hurt others",
        asked: "2,000 that do not read, 5,000 half-open requests: at most 512 KiB each, gone in 15 s and 6 s",
        tests: &[
            rust("ws_slow_reader", "coordinator", "api"),
            rust("ws_oversize", "coordinator", "api"),
            rust("slow_headers", "coordinator", "api"),
        ],
    },
    Promise {
        number: 20,
        words: "A stolen database does not reveal a token; a revoked one dies at once",
        asked: "0 tokens in store and log; revoked within 1 s, open sockets too",
        tests: &[rust("tokens_hashed_scoped_revocable", "coordinator", "api")],
    },
    Promise {
        number: 21,
        words: "Other sites cannot use your session",
        asked: "25 origins, with and without a ticket: only the list passes",
        tests: &[rust("ws_origin_matrix", "coordinator", "api")],
    },
    Promise {
        number: 22,
        words: "One client cannot take more than its share",
        asked: "floods by address, network and token stay at their limit; forged headers gain nothing",
        tests: &[
            rust("rate_limits_hold", "coordinator", "api"),
            rust("xff_cannot_spoof", "coordinator", "api"),
        ],
    },
    Promise {
        number: 24,
        words: "Traffic can be modern TLS, and certificates are changed without a dropped connection",
        asked: "versions 1.2 and 1.3 only, a new certificate under open sockets",
        tests: &[rust("tls_profile", "coordinator", "api")],
    },
    Promise {
        number: 25,
        words: "The cluster's logic survives faults nobody thought of",
        asked: "10,000 seeds with an hour of faults each, and 10,000 that are over sooner; every job ends when the faults do; the same seed gives the same trace",
        tests: &[
            fast("dst_cluster", "sim", "seeds"),
            fast("dst_liveness", "sim", "seeds"),
        ],
    },
    Promise {
        number: 26,
        words: "Known-bad dependencies do not ship",
        asked: "0 open advisories, licences and sources as listed",
        tests: &[rust("supply_chain_gate", "supply", "gate")],
    },
    Promise {
        number: 27,
        words: "A full disk stops new promises, not old ones",
        asked: "nothing acknowledged without a commit; back within 5 s of space",
        tests: &[rust("disk_full_degrades", "coordinator", "faults")],
    },
    Promise {
        number: 28,
        words: "Clock jumps do not expire or freeze leases",
        asked: "an hour and a year, both ways: 0 leases end early, 0 stay",
        tests: &[rust("clock_jumps", "coordinator", "faults")],
    },
    Promise {
        number: 29,
        words: "Partitions heal without loss or stampede",
        asked: "cut off, one way, 30 % loss, 2 s delay, 10,000 that come back: 0 lost or double, all within 30 s, 99 of 100 welcome within 1 s",
        tests: &[rust("netns_partition", "coordinator", "faults")],
    },
    Promise {
        number: 30,
        words: "Upgrades do not lose work",
        asked: "0 lost, at most 2 % done again, at most 30 s to stop; older databases open",
        tests: &[
            rust("drain_on_sigterm", "coordinator", "faults"),
            rust("old_schema_opens", "coordinator", "store_contract"),
        ],
    },
    Promise {
        number: 31,
        words: "Reputation cannot be bought cheaply",
        asked: "1,000 new names from ten networks against 100 honest: at most 5 % of the work a network, 35 % in all",
        tests: &[fast("sybil_share_capped", "sim", "sabotage")],
    },
    Promise {
        number: 36,
        words: "No input can crash the coordinator",
        asked: "every parser tried for 10 minutes: 0 crashes, 0 inputs over 1 s; a panic costs one connection",
        tests: &[
            Test {
                name: "fuzz_all_parsers",
                place: Place::Fuzz,
            },
            rust("panic_isolated", "coordinator", "lib"),
        ],
    },
    Promise {
        number: 37,
        words: "Backups restore",
        asked: "taken under load: whole, nothing older than it missing; 1 GiB within 60 s",
        tests: &[rust("backup_restore_under_load", "coordinator", "faults")],
    },
    Promise {
        number: 38,
        words: "A job cannot time its neighbours",
        asked: "no shared memory, and a clock of at least 100 µs in the frame that runs it",
        tests: &[browser("no_clock_no_threads", "walls-consent.spec.ts")],
    },
    Promise {
        number: 39,
        words: "Errors help you and not an attacker",
        asked: "no path, statement, key or trace in any answer; each has an id that the log knows",
        tests: &[rust("error_hygiene", "coordinator", "api")],
    },
];
