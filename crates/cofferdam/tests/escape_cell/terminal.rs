//! The owner's terminal: nothing raw reaches it, nothing late is left in it, and it is handed back as it was.
//!
//! The laws of the filter itself are tested where it is (`cofferdam-session`, `terminal/tests`).

use cofferdam_testkit::Terminal;

use super::scene::Scene;

/// What an agent may print to reach the owner's machine, and what of it must not be found in what comes out.
const HOSTILE: [(&str, &str, &[u8]); 11] = [
    ("writes the clipboard", r"\033]52;c;ZXZpbA==\007", b"\x1b]"),
    ("reads the clipboard", r"\033]52;c;?\033\\", b"\x1b]"),
    ("sets the title", r"\033]0;evil\007", b"\x1b]"),
    ("asks for the title", r"\033[21t", b"\x1b[21t"),
    ("asks who the terminal is", r"\033[c\033[>c\033[=c", b"\x1b[c"),
    ("asks for the cursor", r"\033[6n\033[?6n", b"\x1b[6n"),
    ("asks for a capability", r"\033P+q544e\033\\", b"\x1bP"),
    ("asks for a setting", r"\033P$qm\033\\", b"\x1bP"),
    ("sends an application command", r"\033_Gi=31,s=1,v=1,a=q;AAAA\033\\", b"\x1b_"),
    ("leaves a link open", r"\033]8;;https://evil.example/\033\\", b"\x1b]8"),
    ("leaves a string open", r"\033]8;;https://evil.example/", b"\x1b]8"),
];

/// Shows all of them one after the other, each followed by a word.
fn script() -> String {
    let prints = HOSTILE.iter().map(|(_, text, _)| format!("printf '{text}'; printf '\\030.';"));
    format!("{} echo said-all", prints.collect::<String>())
}

#[track_caller]
fn nothing_raw_in(shown: &[u8]) {
    for (does, _, bytes) in HOSTILE {
        assert!(!contains(shown, bytes), "{does}: {}", String::from_utf8_lossy(shown).escape_debug());
    }
}

fn contains(haystack: &[u8], needle: &[u8]) -> bool {
    haystack.windows(needle.len()).any(|window| window == needle)
}

#[test]
fn nothing_that_could_act_on_the_owners_terminal_comes_out_raw() {
    let scene = Scene::set();
    let mut outside = scene.home.invoke("/bin/sh").args(["-c", &script()]).terminal(24, 80);
    outside.finish();
    for (does, _, bytes) in HOSTILE {
        assert!(contains(&outside.raw(), bytes), "the control: outside a program {does}");
    }
    let run = scene.cofferdam(["run", "--name", "loud", "--", "/bin/sh", "-c", &script()]);
    let mut terminal = run.terminal(24, 80);
    assert!(terminal.finish().success(), "{}", terminal.screen());
    assert!(contains(&terminal.raw(), b"said-all"), "{}", terminal.screen());
    nothing_raw_in(&terminal.raw());
    // Nor when it is shown again, or goes through a pipe.
    let mut logs = scene.cofferdam(["logs", "loud"]).terminal(24, 80);
    logs.finish();
    assert!(contains(&logs.raw(), b"said-all"), "{}", logs.screen());
    nothing_raw_in(&logs.raw());
    nothing_raw_in(scene.cofferdam(["logs", "loud"]).run().stdout().as_bytes());
    // Raw it comes only into a file or pipe, and when asked for.
    let raw = scene.cofferdam(["logs", "--raw", "loud"]).run().stdout().to_owned();
    assert!(HOSTILE.iter().any(|(_, _, bytes)| contains(raw.as_bytes(), bytes)), "the control: {raw:?}");
    let mut refused = scene.cofferdam(["logs", "--raw", "loud"]).terminal(24, 80);
    assert_eq!(refused.finish().code(), Some(201), "{}", refused.screen());
}

#[test]
fn what_is_printed_before_an_attach_and_during_it_is_filtered_too() {
    let scene = Scene::set();
    let script = format!("{}; read -r _; {}; echo said-again; read -r _", script(), script());
    scene.detached("shown", ["/bin/sh", "-c", &script]);
    let mut terminal = scene.cofferdam(["attach", "shown"]).terminal(24, 80);
    terminal.wait_for("said-all");
    terminal.send("\r");
    terminal.wait_for("said-again");
    terminal.send("\r");
    terminal.finish();
    nothing_raw_in(&terminal.raw());
}

#[test]
fn names_that_a_program_gave_to_files_and_arguments_are_shown_without_effect() {
    let scene = Scene::set();
    let name = "$(printf 'a\\033]52;c;ZXZpbA==\\007\\033[2Jb')";
    let run = scene.cofferdam(["run", "--name", "names", "--", "/bin/sh", "-c"]);
    let mut run = run.arg(format!("touch -- \"{name}\"")).terminal(24, 80);
    assert!(run.finish().success(), "{}", run.screen());
    let mut shown = scene.cofferdam(["show", "names"]).terminal(24, 80);
    assert!(shown.finish().success(), "{}", shown.screen());
    for raw in [run.raw(), shown.raw()] {
        assert!(contains(&raw, b"52;c;"), "the control: the name is shown");
        assert!(
            !contains(&raw, b"\x1b]") && !contains(&raw, b"\x1b[2J"),
            "{}",
            String::from_utf8_lossy(&raw)
        );
    }
}

/// Modes that a program takes and does not give back.
const TAKES_ALL: &str = "printf '\\033[?1049h\\033[?1000h\\033[?1006h\\033[?2004h\\033[?25l\\033[?1h\\033[31;7m'; \
                         printf ta''ken; ";

fn owners_shell(scene: &Scene) -> Terminal {
    let shell = scene.home.invoke("/bin/sh").env("PS1", "owner> ").arg("-i").in_directory(scene.project());
    let mut terminal = shell.terminal(24, 80);
    terminal.wait_for("owner>");
    terminal
}

#[track_caller]
fn is_handed_back(terminal: &mut Terminal) {
    // The terminal's own modes: input is echoed, line by line.
    terminal.send("stty -a | tr ' ' '\\n' | grep -xE -- '-?(icanon|echo|isig|opost)' | tr '\\n' ' '\r");
    terminal.wait_for("isig icanon");
    let screen = terminal.emulator();
    assert!(!screen.alternate_screen(), "the other screen is still shown");
    assert!(!screen.bracketed_paste(), "pasting is still bracketed");
    assert!(!screen.hide_cursor(), "the cursor is still hidden");
    assert!(!screen.application_cursor(), "the cursor keys are still an application's");
    assert_eq!(format!("{:?}", screen.mouse_protocol_mode()), "None", "the mouse still reports");
    assert!(!screen.inverse(), "text is still inverse");
}

#[test]
fn the_terminal_is_handed_back_at_the_end_and_when_the_program_is_killed() {
    let scene = Scene::set();
    let mut terminal = owners_shell(&scene);
    let cofferdam = scene.home.root().join("bin/cofferdam").display().to_string();
    let _linked = scene.home.cofferdam();
    for end in ["read -r _", "read -r _; kill -KILL $$"] {
        let command = format!("{TAKES_ALL}{}", end.replace('$', "\\$"));
        terminal.send(format!("{cofferdam} run --rm -- /bin/sh -c \"{command}\"; echo en''ded\r"));
        terminal.wait_for("taken");
        assert!(terminal.emulator().alternate_screen(), "the control: the program took it");
        terminal.send("\r");
        terminal.wait_for("ended");
        is_handed_back(&mut terminal);
        terminal.send("clear\r");
    }
}

#[test]
fn the_terminal_is_handed_back_on_detaching() {
    let scene = Scene::set();
    let mut terminal = owners_shell(&scene);
    let cofferdam = scene.home.root().join("bin/cofferdam").display().to_string();
    let _linked = scene.home.cofferdam();
    terminal.send(format!("{cofferdam} run --name left -- /bin/sh -c \"{TAKES_ALL}sleep 1000\"\r"));
    terminal.wait_for("taken");
    assert!(terminal.emulator().alternate_screen(), "the control: the program took it");
    terminal.send("\x1ed");
    terminal.wait_for("attach left");
    is_handed_back(&mut terminal);
    scene.cofferdam(["stop", "--grace", "0", "left"]).run().assert_success();
}

/// As a terminal's late answer would be: typed while nobody reads.
#[test]
fn what_arrives_late_does_not_reach_the_owners_shell() {
    let scene = Scene::set();
    let mut terminal = owners_shell(&scene);
    let cofferdam = scene.home.root().join("bin/cofferdam").display().to_string();
    let _linked = scene.home.cofferdam();
    // The control: without a session, what is typed early is the shell's.
    terminal.send("echo sta\\rted; sleep 1\r");
    terminal.wait_for("started");
    terminal.send("echo con$((20+22))trol\r");
    terminal.wait_for("con42trol");
    terminal.send(format!(
        "{cofferdam} run --rm -- /bin/sh -c 'stty -echo; echo in\"\"side; sleep 1'; echo en''ded\r"
    ));
    terminal.wait_for("inside");
    terminal.send("echo late$((20+22))reply\r\x1b[?62;c");
    terminal.wait_for("ended");
    terminal.send("echo after$((1+1))wards\r");
    terminal.wait_for("after2wards");
    assert!(!terminal.screen().contains("late42reply"), "{}", terminal.screen());
    assert!(!terminal.screen().contains("62;c"), "{}", terminal.screen());
}
