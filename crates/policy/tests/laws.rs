//! Laws that hold for every plan and every authority, tried on many.
#![forbid(unsafe_code)]
#![expect(clippy::panic, clippy::unwrap_used, reason = "tests")]

mod scene;

use cofferdam_policy::admission::{Mechanism, Reason, Support, Verdict, admit};
use cofferdam_policy::authority::{Access, Authority, EnvValue, Profile};
use cofferdam_policy::path::AbsPath;
use cofferdam_policy::plan::{
    Capture, ControlGroup, Entry, IdExtent, IdView, Identities, Layer, LimitedResource, PLAN_VERSION, Plan,
    PlanError, ResourceLimit, Source, Step, Through,
};
use cofferdam_policy::presets::limits::{Limit, LimitName};
use proptest::prelude::*;
use scene::{authority, mount, permit, support, workspace};

/// Paths that try to be mistaken: blanks, quotes, and the words of an item.
fn abs_path() -> impl Strategy<Value = AbsPath> {
    let name = prop_oneof!["[a-z .\"\\\\:,é-]{1,8}", Just(" at ".to_owned()), Just("a at ".to_owned())];
    prop::collection::vec(name, 0..4)
        .prop_filter_map("not plain", |names| AbsPath::new(format!("/{}", names.join("/"))).ok())
}

fn extents() -> impl Strategy<Value = Vec<IdExtent>> {
    let extent = (any::<u32>(), any::<u32>(), any::<u32>());
    prop::collection::vec(
        extent.prop_map(|(inside, outside, count)| IdExtent { inside, outside, count }),
        0..3,
    )
}

fn identities() -> impl Strategy<Value = Identities> {
    (any::<u32>(), any::<u32>(), extents(), extents(), extents(), extents(), any::<bool>()).prop_map(
        |(uid, gid, outer_uids, outer_gids, inner_uids, inner_gids, privileged)| Identities {
            uid,
            gid,
            outer_uids,
            outer_gids,
            inner_uids,
            inner_gids,
            privileged,
        },
    )
}

fn source() -> impl Strategy<Value = Source> {
    let ids = prop_oneof![Just(IdView::Plain), Just(IdView::System), Just(IdView::Owner)];
    (abs_path(), any::<Option<(u64, u64)>>(), ids, any::<bool>())
        .prop_map(|(path, identity, ids, directory)| Source { path, identity, ids, directory })
}

/// A step that names sources below `sources`; there must be one.
fn step(sources: usize) -> impl Strategy<Value = Step> {
    let through = prop_oneof![Just(Through::Reading), Just(Through::Writing), Just(Through::Device)];
    let lower = prop::collection::vec(0..sources, 0..3);
    prop_oneof![
        ".*".prop_map(|name| Step::Hostname { name }),
        Just(Step::Loopback),
        Just(Step::Capture { capture: Capture::Redirect }),
        prop::collection::vec(any::<u16>(), 0..3)
            .prop_map(|ports| Step::Capture { capture: Capture::AnyIp { ports } }),
        any::<u64>().prop_map(|bytes_max| Step::Stage { bytes_max }),
        Just(Step::Leave),
        (abs_path(), any::<u32>(), any::<u64>(), any::<u64>(), any::<bool>()).prop_map(
            |(target, mode, bytes_max, inodes_max, owned)| Step::Tmpfs {
                target,
                mode,
                bytes_max,
                inodes_max,
                owned
            }
        ),
        (abs_path(), any::<u32>(), any::<bool>()).prop_map(|(target, mode, owned)| Step::Directory {
            target,
            mode,
            owned
        }),
        (abs_path(), any::<u32>(), ".*").prop_map(|(target, mode, content)| Step::File {
            target,
            mode,
            content
        }),
        (abs_path(), ".*").prop_map(|(target, to)| Step::Symlink { target, to }),
        (abs_path(), lower, prop::option::of(0..sources)).prop_map(|(target, lower, upper)| Step::Overlay {
            target,
            lower,
            upper: upper.map(|source| Layer { source }),
        }),
        (0..sources, abs_path(), through).prop_map(|(source, target, through)| Step::Bind {
            source,
            target,
            through
        }),
        abs_path().prop_map(|target| Step::Proc { target }),
        abs_path().prop_map(|target| Step::Devpts { target }),
        abs_path().prop_map(|target| Step::Mqueue { target }),
        abs_path().prop_map(|target| Step::Freeze { target }),
        Just(Step::View),
    ]
}

fn entry() -> impl Strategy<Value = Entry> {
    let resource = prop_oneof![
        Just(LimitedResource::Processes),
        Just(LimitedResource::OpenFiles),
        Just(LimitedResource::Core),
        Just(LimitedResource::LockedMemory),
        Just(LimitedResource::MessageQueues),
    ];
    let limit = (resource, any::<u64>()).prop_map(|(resource, most)| ResourceLimit { resource, most });
    let paths = || prop::collection::vec(abs_path(), 0..3);
    (prop::collection::vec(limit, 0..4), paths(), paths(), any::<bool>()).prop_map(
        |(limits, writable, devices, chromium)| Entry {
            limits,
            writable,
            devices,
            profiles: chromium.then_some(Profile::Chromium).into_iter().collect(),
        },
    )
}

fn plan() -> impl Strategy<Value = Plan> {
    let group = (abs_path(), prop::collection::vec((".*", ".*"), 0..3))
        .prop_map(|(path, settings)| ControlGroup { path, settings });
    let groups = prop::collection::vec(group, 0..2).boxed();
    prop::collection::vec(source(), 1..4).prop_flat_map(move |sources| {
        let steps = prop::collection::vec(step(sources.len()), 0..8);
        (Just(sources), steps, identities(), entry(), groups.clone()).prop_map(
            |(sources, steps, identities, entry, groups)| Plan {
                version: PLAN_VERSION,
                identities,
                sources,
                steps,
                entry,
                groups,
            },
        )
    })
}

proptest! {
    #[test]
    fn a_plan_printed_is_the_plan_parsed(plan in plan()) {
        let printed = plan.print().unwrap();
        prop_assert_eq!(Plan::parse(printed.as_bytes()).unwrap(), plan);
    }

    #[test]
    fn no_bytes_make_the_parser_panic(bytes in prop::collection::vec(any::<u8>(), 0..300)) {
        if let Ok(plan) = Plan::parse(&bytes) {
            prop_assert_eq!(plan.version, PLAN_VERSION);
        }
    }

    #[test]
    fn a_plan_with_a_byte_changed_is_refused_or_whole(plan in plan(), at in any::<prop::sample::Index>(), byte in any::<u8>()) {
        let mut text = plan.print().unwrap().into_bytes();
        let at = at.index(text.len());
        if let Some(place) = text.get_mut(at) {
            *place = byte;
        }
        if let Ok(plan) = Plan::parse(&text) {
            prop_assert!(plan.steps.iter().flat_map(Step::sources).all(|source| source < plan.sources.len()));
        }
    }

    #[test]
    fn a_step_that_names_a_source_too_many_is_refused(mut plan in plan(), beyond in 0_usize..3, target in abs_path()) {
        let source = plan.sources.len() + beyond;
        let number = plan.steps.len();
        plan.steps.push(Step::Bind { source, target, through: Through::Reading });
        let text = plan.print().unwrap();
        prop_assert!(matches!(Plan::parse(text.as_bytes()), Err(PlanError::Source(found)) if found == number));
    }
}

const MECHANISMS: [Mechanism; 5] =
    [Mechanism::CgroupV2, Mechanism::CgroupV1, Mechanism::Rlimit, Mechanism::SizedTmpfs, Mechanism::Timer];

fn limit_name() -> impl Strategy<Value = LimitName> {
    prop::sample::select(LimitName::ALL.to_vec())
}

/// A limit with a value that its name takes.
fn limit() -> impl Strategy<Value = Limit> {
    (limit_name(), 0_u32..50)
        .prop_filter_map("out of range", |(name, exponent)| Limit::new(name, 1 << exponent).ok())
}

fn machine() -> impl Strategy<Value = Support> {
    let mechanism = prop::sample::select(MECHANISMS.to_vec());
    let mechanisms = prop::collection::btree_map(limit_name(), mechanism, 0..8);
    (prop::option::of(0_u32..8), 0_u32..8, mechanisms)
        .prop_map(|(landlock, landlock_min, mechanisms)| Support { landlock, landlock_min, mechanisms })
}

fn asking(limits: &[Limit]) -> Authority {
    let mut authority = authority();
    for limit in limits {
        authority.limits.ask(*limit);
    }
    authority
}

fn reasons(authority: &Authority, machine: &Support) -> Vec<Reason> {
    match admit(authority.clone(), machine) {
        Verdict::Permit(permit) => {
            assert_eq!(permit.authority(), authority, "what is permitted is what was asked");
            Vec::new()
        }
        Verdict::Refuse(reasons) => {
            assert!(!reasons.is_empty(), "a refusal says why");
            reasons
        }
    }
}

proptest! {
    #[test]
    fn a_machine_that_can_less_never_permits_more(
        limits in prop::collection::vec(limit(), 0..4), machine in machine(), lost in limit_name(),
    ) {
        let authority = asking(&limits);
        let before = reasons(&authority, &machine);
        let mut poorer = machine.clone();
        poorer.mechanisms.remove(&lost);
        let after = reasons(&authority, &poorer);
        prop_assert!(before.iter().all(|reason| after.contains(reason)));
        let without_landlock = Support { landlock: None, ..machine };
        prop_assert!(reasons(&authority, &without_landlock).contains(&Reason::LandlockMissing));
        for (found, least) in [(1, 2), (2, 2), (3, 2)] {
            let machine = Support { landlock: Some(found), landlock_min: least, ..without_landlock.clone() };
            let is_refused = reasons(&authority, &machine).contains(&Reason::LandlockTooOld { found, least });
            prop_assert_eq!(is_refused, found < least);
        }
    }

    #[test]
    fn asking_for_a_limit_never_turns_a_refusal_into_a_permit(
        limits in prop::collection::vec(limit(), 0..4), one in limit(), machine in machine(),
    ) {
        let before = reasons(&asking(&limits), &machine);
        let mut all = limits;
        all.push(one);
        let after = reasons(&asking(&all), &machine);
        prop_assert!(before.iter().all(|reason| after.contains(reason)));
    }

    #[test]
    fn a_limit_that_was_asked_for_is_kept_or_refused(limits in prop::collection::vec(limit(), 1..4), machine in machine()) {
        let authority = asking(&limits);
        if reasons(&authority, &machine).is_empty() {
            let permit = permit(authority, &machine);
            prop_assert!(limits.iter().all(|limit| permit.mechanism(limit.name()).is_some()));
        }
    }

    #[test]
    fn a_machine_with_everything_permits_everything(limits in prop::collection::vec(limit(), 0..4)) {
        let mut machine = support();
        machine.mechanisms = LimitName::ALL.into_iter().map(|name| (name, Mechanism::CgroupV2)).collect();
        prop_assert_eq!(reasons(&asking(&limits), &machine), vec![]);
    }
}

/// An authority with some workspaces, mounts and variables.
fn some_authority() -> impl Strategy<Value = Authority> {
    let access = || prop_oneof![Just(Access::Ro), Just(Access::Cow)];
    let mounts = prop::collection::vec((abs_path(), abs_path(), access()), 0..4);
    let workspaces = prop::collection::vec(abs_path(), 0..3);
    let variables = prop::collection::btree_map("[A-C]{1,2}", prop::option::of("[a-c =(]{0,4}"), 0..3);
    (workspaces, mounts, variables, any::<bool>()).prop_map(|(workspaces, mounts, variables, chromium)| {
        let mut authority = authority();
        authority.workspaces = workspaces.iter().map(|path| workspace(path.as_str())).collect();
        let each =
            mounts.iter().map(|(source, target, access)| mount(source.as_str(), target.as_str(), *access));
        authority.mounts = each.collect();
        let value = |text: Option<String>| text.map_or(EnvValue::Inherited, EnvValue::Literal);
        authority.environment = variables.into_iter().map(|(key, text)| (key, value(text))).collect();
        authority.profiles = chromium.then_some(Profile::Chromium).into_iter().collect();
        authority
    })
}

proptest! {
    #[test]
    fn nothing_goes_beyond_itself(authority in some_authority()) {
        prop_assert!(authority.beyond(&authority).is_empty());
    }

    #[test]
    fn what_goes_beyond_is_all_that_the_narrower_one_lacks(a in some_authority(), b in some_authority()) {
        let beyond = a.beyond(&b);
        prop_assert!(beyond.iter().all(|item| a.items().contains(item) && !b.items().contains(item)));
        let both: std::collections::BTreeSet<String> = b.items().union(&beyond).cloned().collect();
        prop_assert!(both.is_superset(&a.items()));
    }

    #[test]
    fn going_beyond_is_transitive(a in some_authority(), b in some_authority(), c in some_authority()) {
        let through: std::collections::BTreeSet<String> = a.beyond(&b).union(&b.beyond(&c)).cloned().collect();
        prop_assert!(a.beyond(&c).is_subset(&through));
    }

    #[test]
    fn a_mount_more_is_an_item_more(authority in some_authority(), source in abs_path(), target in abs_path()) {
        let mut wider = authority.clone();
        let added = mount(source.as_str(), target.as_str(), Access::Cow);
        let was_there = authority.mounts.contains(&added);
        wider.mounts.push(added);
        prop_assert_eq!(wider.beyond(&authority).len(), usize::from(!was_there));
    }

    /// Else one that the owner accepted could hide another.
    #[test]
    fn two_mounts_never_read_alike(a in (abs_path(), abs_path()), b in (abs_path(), abs_path())) {
        let items = |(source, target): &(AbsPath, AbsPath)| {
            let mut authority = authority();
            authority.mounts = vec![mount(source.as_str(), target.as_str(), Access::Ro)];
            authority.items()
        };
        prop_assert_eq!(items(&a) == items(&b), a == b);
    }

    #[test]
    fn authorities_that_differ_have_digests_that_differ(a in some_authority(), b in some_authority()) {
        prop_assert_eq!(a.digest() == b.digest(), a == b);
    }
}
