//! What a review keeps to: what is taken, what never is, what counts as looked at, and how it ends.

use super::super::item::{Fold, Folded, Rank};
use super::super::model::{End, Mode};
use super::scene::{Scene, harbour, rows, typed};
use cofferdam_session::selection::{Take, WorkspacePath};

fn three() -> Scene {
    let mut scene = Scene::default();
    scene.text("hook", Rank::RunsLater, b"", b"#!/bin/sh\n").alone = Some("it runs later");
    let before: String = (0..40).map(|line| format!("{line}\n")).collect();
    let after = before.replace("5\n", "five\n").replace("\n9\n", "\nnine\n");
    scene.text("long.txt", Rank::Text, before.as_bytes(), after.as_bytes());
    scene.text("short.txt", Rank::Text, b"a\n", b"b\n");
    scene
}

#[test]
fn nothing_is_taken_by_itself() {
    let scene = three();
    let mut model = scene.model();
    typed(&mut model, "lljjjG  hl\tF", 80, 24);
    assert!(model.selection().is_empty());
    assert_eq!(model.end, None);
}

#[test]
fn all_the_rest_is_only_what_was_on_the_screen_and_is_not_notable() {
    let scene = three();
    let mut model = scene.model();
    typed(&mut model, "llR", 80, 24);
    let taken: Vec<_> = model.selection().taken.into_values().flatten().map(|(path, _)| path).collect();
    assert_eq!(taken.len(), 1, "the hook is notable, and of the long one only the top was seen: {taken:?}");
    assert_eq!(taken[0].as_bytes(), b"short.txt");
    typed(&mut model, "h      R", 80, 24);
    assert!(model.is_open(0) && !model.is_open(1), "the long one has been read to its end now");
}

#[test]
fn what_stays_out_can_not_be_taken_by_any_key() {
    let scene = harbour();
    let mut model = scene.model();
    typed(&mut model, "llllaAR", 80, 24);
    assert!(model.is_barred(4) && model.selection().is_empty());
    assert!(rows(&typed(&mut model, "a", 80, 24)).contains("stays out: it is a socket"));
}

#[test]
fn a_hunk_is_split_and_of_its_changes_one_is_taken() {
    let scene = three();
    let mut model = scene.model();
    typed(&mut model, "lsax", 80, 24);
    let take = model.selection().taken.into_values().flatten().map(|(_, take)| take).next();
    assert_eq!(take, Some(Take::Changes([0].into())));
    typed(&mut model, "uu", 80, 24);
    assert!(model.selection().is_empty() && model.is_open(1));
}

#[test]
fn deciding_goes_on_to_what_is_open_and_says_when_nothing_is() {
    let scene = three();
    let mut model = scene.model();
    typed(&mut model, "x", 80, 24);
    assert_eq!(model.at, 1);
    let frame = typed(&mut model, "AX", 80, 24);
    assert!(rows(&frame).contains("everything is decided"), "{}", rows(&frame));
}

#[test]
fn the_last_page_confirms_only_when_all_is_decided_and_it_was_there_in_silence() {
    let scene = three();
    let mut model = scene.model();
    typed(&mut model, "F\r", 80, 24);
    assert_eq!(model.end, None, "not armed");
    model.arm();
    typed(&mut model, "\r", 80, 24);
    assert_eq!((model.end, &model.mode), (None, &Mode::Browsing), "Enter leads to what is open");
    typed(&mut model, "xXXF\r\r\r", 80, 24);
    assert_eq!(model.end, None, "typed ahead");
    model.arm();
    typed(&mut model, "\u{1b}[200~\r\u{1b}[201~", 80, 24);
    assert_eq!(model.end, None, "pasted");
    typed(&mut model, "\r", 80, 24);
    assert_eq!(model.end, Some(End::Finished));
}

#[test]
fn a_choice_that_changes_on_the_last_page_must_be_read_again() {
    let scene = three();
    let mut model = scene.model();
    typed(&mut model, "F", 80, 24);
    model.arm();
    typed(&mut model, "L\r", 80, 24);
    assert_eq!(model.mode, Mode::Closing { armed: false, top: 0 });
    assert_eq!((model.end, model.counts().open), (None, 0));
}

#[test]
fn quitting_asks_nothing() {
    let scene = three();
    let mut model = scene.model();
    typed(&mut model, "aq", 80, 24);
    assert_eq!(model.end, Some(End::Quit));
}

#[test]
fn a_note_stands_below_its_line_is_changed_and_goes_when_emptied() {
    let scene = three();
    let mut model = scene.model();
    let frame = typed(&mut model, "jcwho asked?\r", 80, 24);
    assert!(rows(&frame).contains("✎ who asked?"), "{}", rows(&frame));
    assert_eq!(model.notes[0].1.line, Some(1));
    assert_eq!(model.notes[0].1.path, "/home/ada/harbour/hook");
    typed(&mut model, &format!("c{}\r", "\x7f".repeat(8)), 80, 24);
    assert_eq!(model.notes.len(), 1, "it still says something");
    typed(&mut model, "c\x7f\x7f\r", 80, 24);
    assert!(model.notes.is_empty());
}

#[test]
fn a_search_finds_names_and_lines_in_other_entries_and_comes_round() {
    let scene = three();
    let mut model = scene.model();
    typed(&mut model, "/NINE\r", 80, 24);
    assert_eq!(model.at, 1);
    typed(&mut model, "/short\r", 80, 24);
    assert_eq!(model.at, 2);
    let frame = typed(&mut model, "/nowhere\r", 80, 24);
    assert!(rows(&frame).contains("not found"));
}

/// Every row of an entry comes onto the screen by scrolling down, at any width.
#[test]
fn scrolling_down_shows_every_row() {
    for keys in ["j", " "] {
        for columns in [30, 80, 170] {
            let mut scene = Scene::default();
            let text: String = (0..60).map(|line| format!("{}\n", "wörter ".repeat(line % 40))).collect();
            scene.text("a.txt", Rank::Text, b"", text.as_bytes());
            let mut model = scene.model();
            typed(&mut model, &keys.repeat(if keys == "j" { 700 } else { 120 }), columns, 14);
            assert!(model.was_seen(0), "{keys:?} at {columns} columns");
        }
    }
}

/// A directory comes with the first of what is taken in it, and goes with the last of what was in it.
#[test]
fn directories_are_not_asked_about_and_follow_what_is_in_them() {
    for (keys, came, went) in
        [("XXXX", false, false), ("AXXX", true, false), ("XXAA", false, true), ("XXAX", false, false)]
    {
        let mut scene = Scene::default();
        scene.text("new/deep/a", Rank::Text, b"", b"x\n");
        scene.text("new/deep/b", Rank::Text, b"", b"x\n");
        scene.text("old/a", Rank::Text, b"x\n", b"");
        scene.text("old/b", Rank::Text, b"x\n", b"");
        for (path, fold) in [("new", Fold::Arrives), ("new/deep", Fold::Arrives), ("old", Fold::Goes)] {
            let (directory, path) = (scene.items[0].directory.clone(), WorkspacePath::new(path).unwrap());
            scene.folded.push(Folded { directory, path, fold });
        }
        let mut model = scene.model();
        typed(&mut model, keys, 80, 24);
        let taken: Vec<_> = model.selection().taken.into_values().flatten().map(|(path, _)| path).collect();
        let has = |wanted: &str| taken.iter().any(|path| path.as_bytes() == wanted.as_bytes());
        assert_eq!((has("new"), has("new/deep"), has("old")), (came, came, went), "{keys}: {taken:?}");
    }
}
