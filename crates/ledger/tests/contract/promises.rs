//! The promises of a ledger. Nothing here knows what it is stored in.

use cofferdam_ledger::{
    Durability, EndState, Ending, Error, Filter, Ledger, NameWish, NewSession, Resumption, SessionState,
    Supervisor, TrustRecord, UidRanges,
};
use cofferdam_policy::authority::CellKind;
use cofferdam_policy::event::{Event, EventKind, ExitStatus, StoppedBy, UnixNanos};
use cofferdam_policy::label::Label;
use cofferdam_policy::session_id::{SessionId, SessionName};
use std::collections::BTreeSet;
use std::ffi::OsStr;
use std::os::unix::ffi::OsStrExt as _;
use std::path::{Path, PathBuf};

const RANGES: UidRanges = UidRanges { start: 2_000_000, size: 65_536, ranges: 200, first: 0 };

/// Where one ledger is kept; opened anew it is the same ledger.
pub(crate) trait Store: Sync {
    /// The ledger.
    fn open(&self) -> Ledger;
}

pub(crate) fn id(number: u64) -> SessionId {
    SessionId::from_random((number << 4).to_be_bytes())
}

fn name(text: &str) -> SessionName {
    text.parse().unwrap()
}

pub(crate) fn new_session(number: u64, wish: NameWish) -> NewSession {
    NewSession {
        id: id(number),
        name: wish,
        directory: "/home/owner/project".into(),
        cell: CellKind::Namespaces,
        parent: None,
        uids: None,
        supervisor: None,
        label: Label::initial(),
        command: vec!["true".into()],
        authority_digest: "d1".into(),
        authority: "{\"version\":1}".into(),
        at: UnixNanos(1_000 + i64::try_from(number).unwrap()),
    }
}

pub(crate) fn like(text: &str) -> NameWish {
    NameWish::Like(name(text))
}

fn watcher() -> Supervisor {
    Supervisor { pid: 4_000_000, started_ticks: i64::MAX, boot_id: "b-o-o-t".into() }
}

fn ending(state: EndState, at: i64) -> Ending {
    let exit_status = Some(ExitStatus::Code(3));
    let event = Event::Exited { status: ExitStatus::Code(3) };
    Ending { state, exit_status, event, at: UnixNanos(at) }
}

fn resumption() -> Resumption {
    Resumption {
        supervisor: Some(watcher()),
        command: vec!["again".into()],
        authority_digest: "d2".into(),
        authority: "{\"version\":2}".into(),
        at: UnixNanos(5_000),
    }
}

fn end_and_discard(ledger: &Ledger, session: &SessionId) {
    ledger.set_ended(session, &ending(EndState::Stopped, 9)).unwrap();
    ledger.set_discarded(session, UnixNanos(10)).unwrap();
}

fn kinds(ledger: &Ledger, session: &SessionId) -> Vec<EventKind> {
    ledger.events(Some(session), 0, u32::MAX).unwrap().iter().map(|e| e.event.kind()).collect()
}

pub(crate) fn what_is_begun_is_read_back_whole<S: Store>(factory: impl Fn() -> S) {
    let store = factory();
    let ledger = store.open();
    ledger.begin_session(&new_session(1, like("parent"))).unwrap();
    let new = NewSession {
        parent: Some(id(1)),
        uids: Some(RANGES),
        supervisor: Some(watcher()),
        directory: OsStr::from_bytes(b"/home/owner/not \xff utf-8\n").into(),
        command: vec!["sh".into(), "-c".into(), "echo 'a\nb' \u{1b}[2J".into(), String::new()],
        ..new_session(2, like("child"))
    };
    let begun = ledger.begin_session(&new).unwrap();
    assert_eq!(begun, ledger.session(&id(2)).unwrap());
    assert_eq!(begun.state, SessionState::Starting);
    assert_eq!(begun.directory, new.directory);
    assert_eq!(begun.command, new.command);
    assert_eq!((begun.uid_base, begun.parent), (Some(2_000_000), Some(id(1))));
    assert_eq!(begun.supervisor, Some(watcher()));
    let started = Event::Started { authority_digest: "d1".into(), command: new.command };
    assert_eq!(ledger.events(Some(&id(2)), 0, 9).unwrap()[0].event, started);
}

pub(crate) fn a_name_asked_for_is_given_once_until_discarded<S: Store>(factory: impl Fn() -> S) {
    let store = factory();
    let ledger = store.open();
    let exactly = |number| new_session(number, NameWish::Exactly(name("mine")));
    ledger.begin_session(&exactly(1)).unwrap();
    assert!(
        matches!(ledger.begin_session(&exactly(2)), Err(Error::NameTaken { name }) if name.as_str() == "mine")
    );
    assert!(matches!(ledger.session(&id(2)), Err(Error::NotFound { .. })));
    end_and_discard(&ledger, &id(1));
    assert_eq!(ledger.begin_session(&exactly(2)).unwrap().name.as_str(), "mine");
}

pub(crate) fn a_derived_name_gets_the_first_free_number<S: Store>(factory: impl Fn() -> S) {
    let store = factory();
    let ledger = store.open();
    let longest = "x".repeat(64);
    let mut names = Vec::new();
    for (number, base) in ["app", "app", "app-3", "app", "apple", &longest, &longest].into_iter().enumerate()
    {
        let session = ledger.begin_session(&new_session(number as u64, like(base))).unwrap();
        names.push(session.name.to_string());
    }
    let cut = format!("{}-2", "x".repeat(62));
    assert_eq!(names, ["app", "app-2", "app-3", "app-4", "apple", &longest, &cut]);
    end_and_discard(&ledger, &id(1));
    assert_eq!(ledger.begin_session(&new_session(20, like("app"))).unwrap().name.as_str(), "app-2");
}

pub(crate) fn no_two_sessions_share_user_ids<S: Store>(factory: impl Fn() -> S) {
    let store = factory();
    let ledger = store.open();
    let few = UidRanges { ranges: 3, ..RANGES };
    let begin = |number, uids| {
        let new = NewSession { uids: Some(uids), ..new_session(number, like("app")) };
        ledger.begin_session(&new).map(|session| session.uid_base.unwrap())
    };
    let bases: Vec<u32> = (1..=3).map(|number| begin(number, few).unwrap()).collect();
    assert_eq!(bases, [2_000_000, 2_065_536, 2_131_072]);
    assert!(matches!(begin(4, few), Err(Error::UidsExhausted { ranges: 3 })));
    // Ranges that start elsewhere must not overlap those in use.
    assert_eq!(begin(5, UidRanges { start: 2_000_001, ..RANGES }).unwrap(), 2_000_001 + 3 * 65_536);
    assert!(matches!(
        begin(6, UidRanges { start: u32::MAX - 5, ..RANGES }),
        Err(Error::UidsExhausted { .. })
    ));
    end_and_discard(&ledger, &id(2));
    assert_eq!(begin(7, few).unwrap(), 2_065_536);
    // One that was drawn by lot is given if it is free, else one behind it, and round.
    end_and_discard(&ledger, &id(3));
    assert_eq!(begin(8, UidRanges { first: 2, ..few }).unwrap(), 2_131_072);
    end_and_discard(&ledger, &id(1));
    assert_eq!(begin(9, UidRanges { first: 1, ..few }).unwrap(), 2_000_000);
    assert!(matches!(begin(10, UidRanges { first: 9, ..few }), Err(Error::UidsExhausted { ranges: 3 })));
}

pub(crate) fn a_session_goes_only_where_its_state_leads<S: Store>(factory: impl Fn() -> S) {
    let store = factory();
    let ledger = store.open();
    let session = ledger.begin_session(&new_session(1, like("app"))).unwrap().id;
    let refused = |result: Result<(), Error>, state| {
        assert!(matches!(result, Err(Error::WrongState { state: s, .. }) if s == state), "{result:?}");
    };
    let at = UnixNanos(7);

    refused(ledger.set_discarded(&session, at), SessionState::Starting);
    refused(ledger.resume(&session, &resumption()).map(drop), SessionState::Starting);
    ledger.set_running(&session, &watcher(), at).unwrap();
    let running = ledger.session(&session).unwrap();
    assert_eq!((running.state, running.started_at), (SessionState::Running, Some(at)));
    assert_eq!(running.supervisor, Some(watcher()));

    // Detaching hands a running session over to another supervisor.
    let other = Supervisor { pid: watcher().pid + 1, ..watcher() };
    ledger.set_running(&session, &other, at).unwrap();
    assert_eq!(ledger.session(&session).unwrap().supervisor, Some(other));
    refused(ledger.set_discarded(&session, at), SessionState::Running);
    ledger.set_ended(&session, &ending(EndState::Stopped, 8)).unwrap();
    let ended = ledger.session(&session).unwrap();
    assert_eq!((ended.state, ended.ended_at), (SessionState::Stopped, Some(UnixNanos(8))));
    assert_eq!((ended.exit_status, ended.supervisor), (Some(ExitStatus::Code(3)), None));

    refused(ledger.set_ended(&session, &ending(EndState::Failed, 8)), SessionState::Stopped);
    refused(ledger.set_running(&session, &watcher(), at), SessionState::Stopped);
    let resumed = ledger.resume(&session, &resumption()).unwrap();
    assert_eq!((resumed.state, resumed.exit_status), (SessionState::Starting, None));
    assert_eq!((resumed.command, resumed.authority_digest), (vec!["again".to_owned()], "d2".to_owned()));
    ledger.set_ended(&session, &ending(EndState::Failed, 9)).unwrap();
    ledger.set_discarded(&session, UnixNanos(10)).unwrap();

    refused(ledger.resume(&session, &resumption()).map(drop), SessionState::Discarded);
    refused(ledger.set_discarded(&session, at), SessionState::Discarded);
    assert!(matches!(ledger.set_discarded(&id(9), at), Err(Error::NotFound { .. })));
    use EventKind::{Discarded, Exited, Resumed, Started};
    assert_eq!(kinds(&ledger, &session), [Started, Exited, Resumed, Exited, Discarded]);
}

pub(crate) fn a_refused_step_leaves_no_event<S: Store>(factory: impl Fn() -> S) {
    let store = factory();
    let ledger = store.open();
    let session = ledger.begin_session(&new_session(1, like("app"))).unwrap().id;
    ledger.set_discarded(&session, UnixNanos(1)).unwrap_err();
    ledger.resume(&session, &resumption()).unwrap_err();
    ledger.begin_session(&new_session(1, like("app"))).unwrap_err();
    assert_eq!(kinds(&ledger, &session), [EventKind::Started]);
    assert_eq!(ledger.sessions(&Filter::default()).unwrap().len(), 1);
}

pub(crate) fn of_many_that_resume_one_session_one_succeeds<S: Store>(factory: impl Fn() -> S) {
    let store = factory();
    let ledger = store.open();
    let session = ledger.begin_session(&new_session(1, like("app"))).unwrap().id;
    ledger.set_ended(&session, &ending(EndState::Stopped, 2)).unwrap();
    let outcomes = in_threads(16, |_| store.open().resume(&session, &resumption()).is_ok());
    assert_eq!(outcomes.iter().filter(|won| **won).count(), 1);
    assert_eq!(kinds(&ledger, &session).iter().filter(|kind| **kind == EventKind::Resumed).count(), 1);
}

pub(crate) fn a_session_is_found_by_id_name_and_unambiguous_beginning<S: Store>(factory: impl Fn() -> S) {
    let store = factory();
    let ledger = store.open();
    let begin = |text: &str, called: &str| {
        let new = NewSession { id: text.parse().unwrap(), ..new_session(1, like(called)) };
        ledger.begin_session(&new).unwrap().id
    };
    let [first, second, third] =
        [("abcdefghijkl", "one"), ("abcxxxxxxxxx", "two"), ("zzzzzzzzzzzz", "abc")].map(|(i, n)| begin(i, n));
    let found = |asked: &str| ledger.find(asked).map(|session| session.id);
    assert_eq!(found("abcdefghijkl").unwrap(), first);
    assert_eq!(found("two").unwrap(), second);
    assert_eq!(found("abcx").unwrap(), second);
    assert_eq!(found("abc").unwrap(), third, "a name goes before the beginning of an id");
    assert_eq!(found("zz").unwrap(), third);
    match found("ab") {
        Err(Error::Ambiguous { matches, .. }) => assert_eq!(matches, [first.clone(), second.clone()]),
        other => panic!("{other:?}"),
    }
    for hostile in ["", "nothing", "%", "a%", "_", "abc\n", "' OR 1=1 --", "abcdefghijklm", "é"] {
        assert!(matches!(found(hostile), Err(Error::NotFound { .. })), "{hostile:?}");
    }
    end_and_discard(&ledger, &first);
    assert_eq!(found("ab").unwrap(), second, "a discarded session makes nothing ambiguous");
    assert_eq!(found("abcd").unwrap(), first, "and is still found");
    assert!(matches!(found("one"), Err(Error::NotFound { .. })));
}

pub(crate) fn the_latest_session_is_that_of_exactly_the_directory<S: Store>(factory: impl Fn() -> S) {
    let store = factory();
    let ledger = store.open();
    let begin = |number, directory: &str| {
        let new = NewSession { directory: directory.into(), ..new_session(number, like("app")) };
        ledger.begin_session(&new).unwrap();
    };
    begin(1, "/a");
    begin(2, "/a");
    begin(3, "/a/b");
    let latest = |directory: &str| ledger.latest_for(Path::new(directory)).unwrap().map(|session| session.id);
    assert_eq!(latest("/a"), Some(id(2)));
    assert_eq!(latest("/a/b"), Some(id(3)));
    assert_eq!(latest("/"), None);
    end_and_discard(&ledger, &id(2));
    assert_eq!(latest("/a"), Some(id(1)));

    let listed = |directory: Option<&str>, discarded| -> Vec<SessionId> {
        let filter = Filter { directory: directory.map(PathBuf::from), discarded };
        ledger.sessions(&filter).unwrap().into_iter().map(|session| session.id).collect()
    };
    assert_eq!(listed(None, false), [id(3), id(1)]);
    assert_eq!(listed(None, true), [id(3), id(2), id(1)]);
    assert_eq!(listed(Some("/a"), true), [id(2), id(1)]);
}

pub(crate) fn events_come_in_order_and_in_pages<S: Store>(factory: impl Fn() -> S) {
    let store = factory();
    let ledger = store.open();
    for number in [1, 2] {
        ledger.begin_session(&new_session(number, like("app"))).unwrap();
    }
    let all = [
        Event::Executed { command: vec!["ls".into()] },
        Event::Attached,
        Event::Detached,
        Event::Refreshed,
        Event::LimitReached { limit: "memory".into() },
        Event::Stopped { by: StoppedBy::Owner },
        Event::Failed { step: "mount".into(), cause: "no".into() },
        Event::Exited { status: ExitStatus::Signal(9) },
    ];
    for event in &all {
        ledger.record(&id(1), UnixNanos(-1), event, Durability::Process).unwrap();
        ledger.record(&id(2), UnixNanos(5), &Event::Attached, Durability::Disk).unwrap();
    }
    let mut read = Vec::new();
    let mut after = 0;
    loop {
        let page = ledger.events(Some(&id(1)), after, 3).unwrap();
        let Some(last) = page.last() else { break };
        assert!(page.len() <= 3 && page.iter().all(|e| e.session == id(1) && e.seq > after));
        after = last.seq;
        read.extend(page.into_iter().map(|e| e.event));
    }
    assert_eq!(read[1..], all);
    let every: Vec<i64> = ledger.events(None, 0, u32::MAX).unwrap().iter().map(|e| e.seq).collect();
    assert_eq!(every.len(), 2 + 2 * all.len());
    assert!(every.is_sorted());
}

pub(crate) fn an_event_of_no_session_is_refused<S: Store>(factory: impl Fn() -> S) {
    let store = factory();
    let ledger = store.open();
    let result = ledger.record(&id(1), UnixNanos(1), &Event::Attached, Durability::Process);
    assert!(matches!(result, Err(Error::NotFound { asked }) if asked == id(1).to_string()));
    assert!(ledger.events(None, 0, 9).unwrap().is_empty());
}

pub(crate) fn newlines_in_bodies_forge_nothing<S: Store>(factory: impl Fn() -> S) {
    let store = factory();
    let ledger = store.open();
    let hostile = "a\n{\"kind\":\"discarded\"}\r\n\u{2028}'); DROP TABLE events; --\u{0}".to_owned();
    let new = NewSession { command: vec![hostile.clone()], ..new_session(1, like("app")) };
    let session = ledger.begin_session(&new).unwrap().id;
    let event = Event::Failed { step: hostile.clone(), cause: hostile };
    ledger.record(&session, UnixNanos(1), &event, Durability::Process).unwrap();
    let events = ledger.events(None, 0, 99).unwrap();
    assert_eq!(events.len(), 2);
    assert_eq!(events[1].event, event);
}

pub(crate) fn trust_is_for_exact_bytes_of_an_exact_directory<S: Store>(factory: impl Fn() -> S) {
    let store = factory();
    let ledger = store.open();
    let directory = PathBuf::from(OsStr::from_bytes(b"/home/owner/\xffproject"));
    let accepted = |body: &str| TrustRecord {
        request_digest: format!("digest of {body}"),
        accepted_at: UnixNanos(5),
        body: body.to_owned(),
    };
    assert_eq!(ledger.trusted(&directory).unwrap(), None);
    ledger.trust(&directory, &accepted("first\n")).unwrap();
    ledger.trust(&directory, &accepted("second\r\n\u{0}\n")).unwrap();
    assert_eq!(store.open().trusted(&directory).unwrap(), Some(accepted("second\r\n\u{0}\n")));
    for other in ["/home/owner/", "/home/owner/\u{fffd}project", "/home/owner/project"] {
        assert_eq!(ledger.trusted(Path::new(other)).unwrap(), None);
    }
    assert!(ledger.untrust(&directory).unwrap());
    assert!(!ledger.untrust(&directory).unwrap());
    assert_eq!(ledger.trusted(&directory).unwrap(), None);
}

pub(crate) fn what_was_written_is_there_after_opening_again<S: Store>(factory: impl Fn() -> S) {
    let store = factory();
    for number in 1..=200 {
        let ledger = store.open();
        let new = NewSession { authority: "x".repeat(20_000), ..new_session(number, like("app")) };
        ledger.begin_session(&new).unwrap();
        ledger.tidy().unwrap();
    }
    let ledger = store.open();
    assert_eq!(ledger.sessions(&Filter::default()).unwrap().len(), 200);
    assert_eq!(ledger.events(None, 0, u32::MAX).unwrap().len(), 200);
}

pub(crate) fn a_hundred_threads_lose_nothing<S: Store>(factory: impl Fn() -> S) {
    let store = factory();
    let names = in_threads(100, |number| {
        let ledger = store.open();
        let new = NewSession { uids: Some(RANGES), ..new_session(number, like("app")) };
        let begun = ledger.begin_session(&new).unwrap();
        ledger.set_running(&begun.id, &watcher(), UnixNanos(2)).unwrap();
        ledger.record(&begun.id, UnixNanos(3), &Event::Attached, Durability::Process).unwrap();
        ledger.tidy().unwrap();
        (begun.name, begun.uid_base)
    });
    let ledger = store.open();
    assert_eq!(ledger.sessions(&Filter::default()).unwrap().len(), 100);
    assert_eq!(ledger.events(None, 0, u32::MAX).unwrap().len(), 200);
    assert_eq!(names.iter().map(|(name, _)| name).collect::<BTreeSet<_>>().len(), 100);
    assert_eq!(names.iter().map(|(_, base)| base).collect::<BTreeSet<_>>().len(), 100);
}

fn in_threads<T: Send>(count: u64, work: impl Fn(u64) -> T + Sync) -> Vec<T> {
    let work = &work;
    std::thread::scope(|scope| {
        let threads: Vec<_> = (0..count).map(|number| scope.spawn(move || work(number))).collect();
        threads.into_iter().map(|thread| thread.join().unwrap()).collect()
    })
}
