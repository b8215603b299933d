//! A program that is given no terminal: status, input and output are its own, byte for byte.

use super::OWNER;
use cofferdam_testkit::Home;
use std::time::Duration;

const PATIENCE: Duration = Duration::from_secs(60);

/// Ten megabytes in which every byte value occurs, in no short pattern.
fn noise() -> Vec<u8> {
    let mut state = 0x9E37_79B9_7F4A_7C15_u64;
    let mut next = || {
        state ^= state << 13;
        state ^= state >> 7;
        state ^= state << 17;
        state.to_le_bytes()
    };
    (0..(10 << 20) / 8).flat_map(|_| next()).collect()
}

#[test]
fn the_exit_status_is_the_programs_and_a_signal_is_128_and_its_number() {
    let home = Home::of(OWNER);
    let ends =
        [("exit 0", 0), ("exit 7", 7), ("exit 255", 255), ("kill -TERM $$", 143), ("kill -KILL $$", 137)];
    for (script, status) in ends {
        home.cofferdam().args(["run", "--rm", "--", "sh", "-c", script]).run().assert_exit(status);
    }
    home.wait_until_quiet();
}

#[test]
fn ten_megabytes_pass_through_both_ways_without_a_byte_changed() {
    let home = Home::of(OWNER);
    let sent = noise();
    let run = home
        .cofferdam()
        .args(["run", "--rm", "--", "tee", "/dev/stderr"])
        .input(sent.clone())
        .run_within(PATIENCE);
    run.assert_success();
    assert!(run.stdout == sent, "{} bytes came back on standard output", run.stdout.len());
    assert!(run.stderr == sent, "{} bytes came back on standard error", run.stderr.len());
}

#[test]
fn the_end_of_input_reaches_the_program() {
    let home = Home::of(OWNER);
    let script = "wc -c; echo over";
    let nothing = home.cofferdam().args(["run", "--rm", "--", "sh", "-c", script]).run();
    assert_eq!(nothing.assert_success().stdout(), "0\nover\n");
    let some = home.cofferdam().args(["run", "--rm", "--", "sh", "-c", script]).input("four").run();
    assert_eq!(some.assert_success().stdout(), "4\nover\n");
}

#[test]
fn a_program_whose_reader_has_gone_ends() {
    let home = Home::of(OWNER);
    let cofferdam = home.cofferdam().command().get_program().to_owned();
    let script = "\"$1\" run -- yes | head -n 1; echo ${PIPESTATUS[0]}; \"$1\" ls --json";
    let run = home.invoke("bash").args(["-c", script, "bash"]).arg(&cofferdam).run();
    run.assert_success();
    let stdout = run.stdout();
    assert!(stdout.starts_with("y\n141\n"), "{run}");
    assert!(stdout.contains("\"state\": \"stopped\""), "{run}");
    home.wait_until_quiet();
}

#[test]
fn a_program_that_reads_nothing_ends_when_it_wants() {
    let home = Home::of(OWNER);
    home.cofferdam().args(["run", "--rm", "--", "true"]).input(noise()).run().assert_success();
}

#[test]
fn a_further_program_gets_and_gives_its_own_bytes_and_status() {
    let home = Home::of(OWNER);
    home.cofferdam().args(["run", "-d", "--", "sleep", "1000"]).run().assert_success();
    let sent = noise();
    let run = home.cofferdam().args(["exec", "--", "cat"]).input(sent.clone()).run_within(PATIENCE);
    assert!(run.assert_success().stdout == sent, "{} bytes came back", run.stdout.len());
    for (script, status) in [("exit 7", 7), ("kill -TERM $$", 143)] {
        home.cofferdam().args(["exec", "--", "sh", "-c", script]).run().assert_exit(status);
    }
    home.cofferdam().arg("stop").run().assert_success();
    home.wait_until_quiet();
}

/// More comes out than goes in: who first writes all and then reads would wait for ever.
#[test]
fn a_further_program_that_says_more_than_it_hears_is_not_stuck() {
    let home = Home::of(OWNER);
    home.cofferdam().args(["run", "-d", "--", "sleep", "1000"]).run().assert_success();
    let script = "import sys\nwhile b := sys.stdin.buffer.read(4096): sys.stdout.buffer.write(b * 16)";
    let sent: Vec<u8> = noise().into_iter().take(1 << 20).collect();
    let run = home
        .cofferdam()
        .args(["exec", "--", "python3", "-c", script])
        .input(sent.clone())
        .run_within(PATIENCE);
    assert_eq!(run.assert_success().stdout.len(), sent.len() * 16);
}

#[test]
fn an_interrupt_goes_to_the_program() {
    let home = Home::of(OWNER);
    let script = "trap 'echo interrupted; exit 9' INT; echo ready; while :; do sleep 0.05; done";
    let run = home.cofferdam().args(["run", "--rm", "--", "sh", "-c", script]).start();
    run.wait_for_output("ready");
    run.signal(rustix::process::Signal::INT);
    let run = run.finish();
    assert!(run.assert_exit(9).stdout().contains("interrupted"), "{run}");
}
