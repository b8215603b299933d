//! Any policy text is refused, or understood so that it can be written down again.

use super::*;
use cofferdam_fuzz::fuzz;

#[test]
fn a_policy_text_is_understood_whole_or_refused() {
    fuzz("policy_text", target);
}

fn target(input: &[u8]) -> Result<Vec<usize>, String> {
    let wish = match Wish::parse(input) {
        Ok(wish) => wish,
        Err(error @ (WishError::TooLong | WishError::NotUtf8)) => return Err(error.to_string()),
        Err(WishError::Form(error)) => return Err(error.message().to_owned()),
        Err(WishError::Limit(error)) => return Err(error.to_string()),
        Err(WishError::RunsLater(error)) => return Err(error.to_string()),
        Err(WishError::Checkpoint(error)) => return Err(error.to_string()),
        Err(WishError::CredentialInRequest(name)) => return Err(name.to_string()),
        Err(error @ WishError::NotifyInRequest) => return Err(error.to_string()),
        Err(WishError::TooMany(list)) => return Err(list.to_owned()),
    };
    assert_eq!(Wish::parse(printed(&wish).as_bytes()).unwrap(), wish);
    let kept = wish.clone().without_denied_names();
    assert!(
        kept.environment.iter().all(|entry| !wish.deny.denies_variable(entry.split('=').next().unwrap()))
    );
    assert!(kept.tools.iter().all(|name| !wish.deny.tools.contains(name)));
    assert!(kept.profiles.iter().all(|name| !wish.deny.profiles.contains(name)));
    assert!(kept.agent_homes.iter().all(|name| !wish.deny.agent_homes.contains(name)));
    let lists = lists(&wish);
    assert!(lists.iter().all(|(_, list)| list.len() <= WISH_ENTRIES_MAX));
    Ok(lists.iter().map(|(_, list)| list.len()).chain([wish.limits.len(), wish.runs_later.len()]).collect())
}

fn lists(wish: &Wish) -> [(&'static str, &[String]); 9] {
    [
        ("allow", &wish.sets),
        ("workspaces", &wish.workspaces),
        ("mounts", &wish.mounts),
        ("environment", &wish.environment),
        ("masks", &wish.masks),
        ("instructions", &wish.instructions),
        ("agent-homes", &wish.agent_homes),
        ("tools", &wish.tools),
        ("profiles", &wish.profiles),
    ]
}

fn printed(wish: &Wish) -> String {
    let list = |list: &[String]| toml::Value::from(list.to_vec());
    let mut table: toml::Table =
        lists(wish).into_iter().map(|(name, entries)| (name.to_owned(), list(entries))).collect();
    let lines = wish.grants.iter().map(ToString::to_string);
    let allow = lines.chain(wish.sets.iter().cloned()).collect::<Vec<_>>();
    table.insert("allow".to_owned(), list(&allow));
    let credentials = wish.credentials.iter().map(|credential| {
        let mut own = toml::Table::new();
        own.insert("secret".to_owned(), credential.secret.to_string().into());
        own.insert("place".to_owned(), credential.place.to_string().into());
        let variables = credential.environment.iter().map(ToString::to_string).collect::<Vec<_>>();
        own.insert("environment".to_owned(), list(&variables));
        (credential.name.to_string(), toml::Value::Table(own))
    });
    table.insert("credential".to_owned(), toml::Value::Table(credentials.collect()));
    let ports = wish.publish.iter().map(|port| toml::Value::from(i64::from(port.get())));
    table.insert("publish".to_owned(), ports.collect::<Vec<_>>().into());
    if let Some(rule) = wish.on_handle_leak {
        table.insert("on-handle-leak".to_owned(), rule.name().into());
    }
    if let Some(command) = &wish.notify {
        table.insert("notify".to_owned(), command.clone().into());
    }
    let limits = wish.limits.iter().map(ToString::to_string).map(|text| {
        let (name, value) = text.split_once('=').unwrap();
        (name.to_owned(), toml::Value::from(value))
    });
    table.insert("limits".to_owned(), toml::Value::Table(limits.collect()));
    let patterns = wish.runs_later.iter().map(ToString::to_string).collect::<Vec<_>>();
    let review = toml::Table::from_iter([("runs-later".to_owned(), list(&patterns))]);
    table.insert("review".to_owned(), toml::Value::Table(review));
    let every = wish.checkpoint.every_seconds.map(|seconds| toml::Value::from(format!("{seconds}s")));
    let keep = wish.checkpoint.keep.map(|keep| toml::Value::from(i64::from(keep)));
    let checkpoint = [("every", every), ("keep", keep)];
    let checkpoint =
        checkpoint.into_iter().filter_map(|(key, value)| Some((key.to_owned(), value?))).collect();
    table.insert("checkpoint".to_owned(), toml::Value::Table(checkpoint));
    let hosts = wish.deny.hosts.iter().map(ToString::to_string).collect::<Vec<_>>();
    let deny = [
        ("hosts", &hosts),
        ("paths", &wish.deny.paths),
        ("environment", &wish.deny.environment),
        ("agent-homes", &wish.deny.agent_homes),
        ("tools", &wish.deny.tools),
        ("profiles", &wish.deny.profiles),
    ];
    let deny = deny.into_iter().map(|(name, entries)| (name.to_owned(), list(entries))).collect();
    table.insert("deny".to_owned(), toml::Value::Table(deny));
    table.to_string()
}
