//! A secret typed on the terminal.

use super::scene::{PLANTED, SECRET, Scene, assert_untold};

#[test]
fn what_is_typed_is_neither_shown_nor_on_a_command_line_and_the_terminal_is_as_before() {
    let scene = Scene::new();
    let mut terminal = scene
        .home
        .invoke("sh")
        .args(["-c", "\"$0\" secret add github --from prompt; stty -a; read line; echo \"got $line\""]);
    terminal = terminal.arg(scene.home.cofferdam().command().get_program());
    let mut terminal = terminal.terminal(24, 100);
    terminal.wait_for("not shown");
    terminal.send(PLANTED);
    // Every process of the home, while the value is in one of them.
    for process in scene.home.processes() {
        for file in ["cmdline", "environ"] {
            let bytes = std::fs::read(format!("/proc/{}/{file}", process.pid)).unwrap_or_default();
            assert_untold(&bytes);
        }
    }
    terminal.send("\r");
    terminal.wait_for("kept as github");
    terminal.wait_for(" echo ");
    terminal.send("shown\r");
    terminal.wait_for("got shown");
    assert!(terminal.finish().success());
    assert_untold(&terminal.raw());
    scene.assert_nowhere_in_the_open();
    assert!(scene.decrypted().contains("Z2hwX3BsYW50ZWRa"));
}

#[test]
fn a_question_that_is_left_keeps_nothing() {
    let scene = Scene::new();
    let mut terminal = scene.secret(&["add", "github", "--from", "prompt"]).terminal(24, 100);
    terminal.wait_for("not shown");
    terminal.send("half a secret\x03");
    assert_eq!(terminal.finish().code(), Some(i32::from(SECRET)));
    assert!(scene.secret(&["ls", "--json"]).run().json().as_array().unwrap().is_empty());
}
