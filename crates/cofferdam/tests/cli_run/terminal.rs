//! A program in a terminal of its own: size, job control, detaching, and a clean terminal afterwards.

use super::OWNER;
use cofferdam_testkit::{Home, Terminal, until};

const DETACH: &str = "\x1ed";

/// A shell without the owner's or the machine's settings, whose prompt a test can wait for.
fn shell(home: &Home) -> Terminal {
    let bash = ["run", "-e", "PS1=prompt> ", "--", "bash", "--norc", "--noprofile", "-i"];
    let mut terminal = home.cofferdam().args(bash).terminal(24, 80);
    terminal.wait_for("prompt>");
    terminal
}

#[test]
fn the_program_has_a_terminal_of_its_own_with_the_size_of_the_owners_window() {
    let home = Home::of(OWNER);
    let mut terminal = shell(&home);
    terminal.send("tty; stty size; test -t 0 && test -t 1 && test -t 2 && echo all t''hree\r");
    terminal.wait_for("/dev/pts/0");
    terminal.wait_for("24 80");
    terminal.wait_for("all three");
    terminal.send("trap 'echo now $(stty size)' WINCH; echo s''et\r");
    terminal.wait_for("set\nprompt>");
    terminal.resize(30, 100);
    terminal.send("\r");
    terminal.wait_for("now 30 100");
    terminal.send("echo over >/dev/tty; exit 7\r");
    assert_eq!(terminal.finish().code(), Some(7), "{}", terminal.screen());
    home.wait_until_quiet();
}

#[test]
fn the_control_keys_go_to_the_programs_job_and_not_to_the_session() {
    let home = Home::of(OWNER);
    let mut terminal = shell(&home);
    terminal.send("sh -c 'echo star\\ted; exec sleep 1000'\r");
    terminal.wait_for("started");
    terminal.send("\x03");
    terminal.wait_for("^C\nprompt>");
    terminal.send("sleep 1001\r");
    terminal.wait_for("sleep 1001");
    until("the job to be in the foreground", || {
        home.processes().iter().any(|process| process.command == "sleep 1001").then_some(())
    });
    terminal.send("\x1a");
    terminal.wait_for("Stopped");
    terminal.send("jobs; bg; jobs -r\r");
    terminal.wait_for("Running");
    terminal.send("kill %1; wait; echo re''aped\r");
    terminal.wait_for("reaped");
    terminal.send("exit 9\r");
    assert_eq!(terminal.finish().code(), Some(9), "{}", terminal.screen());
    home.wait_until_quiet();
}

#[test]
fn the_detach_key_leaves_the_program_running_and_attach_paints_its_screen() {
    let home = Home::of(OWNER);
    let mut terminal = shell(&home);
    terminal.send("echo first m''ark\r");
    terminal.wait_for("first mark");
    terminal.send(DETACH);
    assert_eq!(terminal.finish().code(), Some(0), "{}", terminal.screen());
    let said = terminal.screen();
    assert!(said.contains("attach"), "how to come back is not said: {said}");
    let running = home.cofferdam().args(["ls", "--json"]).run();
    assert_eq!(running.json()[0]["state"], "running", "{running}");

    let mut again = home.cofferdam().arg("attach").terminal(30, 90);
    again.wait_for("first mark");
    again.send("stty size; echo second m''ark\r");
    again.wait_for("30 90");
    again.wait_for("second mark");
    again.send(DETACH);
    assert_eq!(again.finish().code(), Some(0));

    let mut last = home.cofferdam().arg("attach").terminal(24, 80);
    last.wait_for("second mark");
    last.send("exit 4\r");
    assert_eq!(last.finish().code(), Some(4), "{}", last.screen());
    home.wait_until_quiet();
}

#[test]
fn a_closed_window_detaches_and_does_not_end_the_program() {
    let home = Home::of(OWNER);
    let mut terminal = shell(&home);
    terminal.signal(rustix::process::Signal::HUP);
    terminal.finish();
    let running = home.cofferdam().args(["ls", "--json"]).run();
    assert_eq!(running.json()[0]["state"], "running", "{running}");
    home.cofferdam().args(["stop", "--grace", "0"]).run().assert_success();
    home.wait_until_quiet();
}

/// What the program set is gone, whatever it set and however it died.
#[test]
fn the_owners_terminal_is_as_it_was_also_after_a_crash_of_the_program() {
    for end in ["exit 0", "kill -9 $$", "kill -SEGV $$"] {
        let home = Home::of(OWNER);
        let cofferdam = home.cofferdam().command().get_program().to_owned();
        let program = format!(
            "stty raw -echo; printf '\\033[?1049h\\033[?25l\\033[?2004h\\033[?1003h\\033[31mmess'; sleep 0.1; {end}"
        );
        let script = "stty -a >before; \"$1\" run --rm -- sh -c \"$2\"; stty -a >after; echo ba''ck";
        let arguments = ["-c", script, "sh"];
        let mut terminal = home.invoke("sh").args(arguments).arg(&cofferdam).arg(&program).terminal(24, 80);
        terminal.finish();
        let read = |name: &str| std::fs::read_to_string(home.work().join(name)).unwrap();
        assert_eq!(read("before"), read("after"), "after {end}");
        let shown = terminal.emulator();
        assert!(shown.contents().contains("back"), "{}", shown.contents());
        assert!(!shown.alternate_screen() && !shown.hide_cursor() && !shown.bracketed_paste(), "after {end}");
        assert_eq!(shown.mouse_protocol_mode(), vt100::MouseProtocolMode::None, "after {end}");
        assert_eq!(shown.fgcolor(), vt100::Color::Default, "after {end}");
    }
}

#[test]
fn the_owners_terminal_is_as_it_was_after_the_command_itself_was_terminated() {
    let home = Home::of(OWNER);
    let cofferdam = home.cofferdam().command().get_program().to_owned();
    let script = "stty -a >before; \"$1\" run -- sh -c 'stty raw; exec sleep 1000'; stty -a >after";
    let mut terminal = home.invoke("sh").args(["-c", script, "sh"]).arg(&cofferdam).terminal(24, 80);
    let pid = until("the session to run", || {
        let listed = home.cofferdam().args(["ls", "--json"]).run();
        let asked: serde_json::Value = serde_json::from_slice(&listed.stdout).ok()?;
        home.processes().iter().find(|process| process.command == "sleep 1000")?;
        asked[0]["supervisor_pid"].as_u64()
    });
    home.invoke("kill").arg(pid.to_string()).run().assert_success();
    terminal.finish();
    let read = |name: &str| std::fs::read_to_string(home.work().join(name)).unwrap();
    assert_eq!(read("before"), read("after"));
    home.wait_until_quiet();
}

#[test]
fn a_further_program_in_a_terminal_has_one_of_its_own() {
    let home = Home::of(OWNER);
    home.cofferdam().args(["run", "-d", "--", "sleep", "1000"]).run().assert_success();
    let script = "tty; stty size; read line; echo got $line; stty size; exit 6";
    let mut terminal = home.cofferdam().args(["exec", "--", "sh", "-c", script]).terminal(20, 70);
    terminal.wait_for("/dev/pts/");
    terminal.wait_for("20 70");
    terminal.resize(40, 110);
    terminal.send("word\r");
    terminal.wait_for("got word");
    terminal.wait_for("40 110");
    assert_eq!(terminal.finish().code(), Some(6), "{}", terminal.screen());
    let piped = home.cofferdam().args(["exec", "--", "tty"]).run();
    assert_eq!(piped.assert_exit(1).stdout(), "not a tty\n");
    home.cofferdam().args(["stop", "--grace", "0"]).run().assert_success();
}

#[test]
fn what_a_program_prints_can_neither_fill_the_clipboard_nor_ask_the_owners_terminal() {
    let home = Home::of(OWNER);
    let script = "printf '\\033]52;c;c2VjcmV0\\007\\033[c\\033[6n\\033]0;title\\007vis''ible'";
    let mut terminal = home.cofferdam().args(["run", "--rm", "--", "sh", "-c", script]).terminal(24, 80);
    terminal.finish();
    let raw = String::from_utf8_lossy(&terminal.raw()).into_owned();
    assert!(raw.contains("visible"), "{raw:?}");
    for forbidden in ["c2VjcmV0", "\x1b[c", "\x1b[6n"] {
        assert!(!raw.contains(forbidden), "{forbidden:?} reached the terminal: {raw:?}");
    }
}

#[test]
fn how_far_a_copy_is_shows_on_a_terminal_only_and_is_gone_when_the_program_runs() {
    let home = Home::of(OWNER);
    home.many_files("project/files", 3000);
    let project = home.work().join("project");
    let run = ["run", "--copy", "--name", "one", "--", "echo", "alone"];
    let mut terminal = home.cofferdam().args(run).in_directory(&project).terminal(24, 80);
    terminal.finish();
    assert!(!terminal.screen().contains("copying"), "{}", terminal.screen());
    assert!(terminal.screen().lines().any(|line| line == "alone"), "{}", terminal.screen());
    let run = ["run", "--copy", "--name", "two", "--", "true"];
    let piped = home.cofferdam().args(run).in_directory(&project).run();
    assert!(!piped.assert_success().stderr().contains(['\r', '\x1b']), "{piped}");
    for name in ["one", "two"] {
        let gone = home.cofferdam().args(["discard", name, "-f"]).run();
        assert_eq!(gone.assert_success().stdout(), format!("session {name} is gone\n"));
        assert_eq!(gone.stderr(), "");
    }
}
