//! Maven's `settings.xml`: mirrors, repositories of active profiles, and the servers' users.
//!
//! Only the elements that are looked for are read, and no entity but the five of XML is replaced.

use super::{Configuration, Configured, Hidden, Login, SettingsError, Surroundings};
use crate::presets::sets::registry::Role;

const SYSTEM_FILES: [&str; 3] =
    ["/etc/maven/settings.xml", "/usr/share/maven/conf/settings.xml", "/opt/maven/conf/settings.xml"];

pub(super) fn configured(surroundings: &Surroundings<'_>) -> Result<Configured, SettingsError> {
    let user = surroundings.below_home(".m2/settings.xml");
    let system = surroundings.variable("MAVEN_HOME").map(|home| format!("{home}/conf/settings.xml"));
    let system = system.into_iter().chain(SYSTEM_FILES.map(str::to_owned));
    let system = system.filter_map(|path| surroundings.file(path)).next();
    let files: Vec<(String, String)> = surroundings.file(user).into_iter().chain(system).collect();
    let files: Vec<(String, String)> =
        files.into_iter().map(|(path, text)| (path, without_comments(&text))).collect();
    let mut configured = Configured::default();
    let mut mirrors = String::new();
    for (path, text) in &files {
        for mirror in elements(text, "mirror") {
            // Maven's own one that blocks plain HTTP.
            if element(mirror, "blocked").is_some_and(|blocked| blocked == "true") {
                continue;
            }
            let of = element(mirror, "mirrorOf").unwrap_or_default();
            configured.is_complete |=
                of.split(',').any(|of| matches!(of.trim(), "*" | "external:*" | "central"));
            add(&mut configured, &files, mirror, path)?;
            if let (Some(id), Some(url)) = (element(mirror, "id"), element(mirror, "url")) {
                let url = super::without_user(&url).0;
                mirrors.push_str(&format!(
                    "    <mirror><id>{}</id><mirrorOf>{}</mirrorOf><url>{}</url></mirror>\n",
                    escaped(&id),
                    escaped(&of),
                    escaped(&url)
                ));
            }
        }
        for name in ["repository", "pluginRepository"] {
            for repository in elements(text, name) {
                add(&mut configured, &files, repository, path)?;
            }
        }
    }
    if !mirrors.is_empty() {
        let text = format!("<settings>\n  <mirrors>\n{mirrors}  </mirrors>\n</settings>\n");
        configured.files.insert(".m2/settings.xml".to_owned(), text);
    }
    Ok(configured)
}

fn add(
    configured: &mut Configured,
    files: &[(String, String)],
    of: &str,
    path: &str,
) -> Result<(), SettingsError> {
    let Some(url) = element(of, "url").filter(|url| !url.starts_with("file:")) else { return Ok(()) };
    let mut place = Configuration::of(Role::Index, &url, path)?;
    if let Some(id) = element(of, "id") {
        let servers = files.iter().flat_map(|(_, text)| elements(text, "server"));
        let server = servers.into_iter().find(|server| element(server, "id").as_deref() == Some(&id));
        if let Some(server) = server {
            match login(server) {
                Some(login) => place.login = Some(login),
                None => configured.notes.push(format!(
                    "{path}: the login of server {id} is encrypted or of another kind, and not used"
                )),
            }
        }
    }
    if !configured.places.iter().any(|known| known.base.is_at(&place.base)) {
        configured.places.push(place);
    }
    Ok(())
}

fn login(server: &str) -> Option<Login> {
    let (user, password) = (element(server, "username")?, element(server, "password")?);
    // `{…}` is encrypted by Maven's own master password.
    let is_plain = !password.is_empty() && !password.starts_with('{') && !password.contains("${");
    let place = format!("basic:{user}").parse().ok().filter(|_| is_plain)?;
    Some(Login { place, value: Hidden::new(password), variables: Vec::new() })
}

fn without_comments(text: &str) -> String {
    let mut plain = String::new();
    let mut rest = text;
    while let Some((before, after)) = rest.split_once("<!--") {
        plain.push_str(before);
        rest = after.split_once("-->").map_or("", |(_, after)| after);
    }
    plain + rest
}

/// What stands in each element of this name, from the outside in.
fn elements<'t>(text: &'t str, name: &str) -> Vec<&'t str> {
    let (open, close) = (format!("<{name}>"), format!("</{name}>"));
    let mut found = Vec::new();
    let mut rest = text;
    while let Some((_, after)) = rest.split_once(open.as_str()) {
        let Some((inner, after)) = after.split_once(close.as_str()) else { break };
        found.push(inner);
        rest = after;
    }
    found
}

fn element(text: &str, name: &str) -> Option<String> {
    let inner = elements(text, name).into_iter().next()?.trim();
    let plain = inner.replace("&lt;", "<").replace("&gt;", ">").replace("&quot;", "\"");
    Some(plain.replace("&apos;", "'").replace("&amp;", "&"))
}

fn escaped(text: &str) -> String {
    text.replace('&', "&amp;").replace('<', "&lt;").replace('>', "&gt;")
}
