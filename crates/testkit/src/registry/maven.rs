//! A Maven repository: a parent, and a library that needs another one. Without checksums, of which Maven only warns.
//!
//! It has no plugins: what needs none loads parents and extensions of a build.

use super::{Answer, Seen, archive, missing, writes};

const GROUP: &str = "test.packages";

/// Group, name, version.
type Coordinates = (&'static str, &'static str, &'static str);

const ANCHOR: Coordinates = (GROUP, "anchor", "1.0");
const BALLAST: Coordinates = (GROUP, "ballast", "2.1");

/// What there is, and its packaging.
const ARTIFACTS: [(Coordinates, &str); 4] = [
    ((GROUP, "dock", "1.0"), "pom"),
    (ANCHOR, "jar"),
    (BALLAST, "jar"),
    // Maven puts it beside every extension. Nothing of ours uses what is in it.
    (("org.codehaus.plexus", "plexus-utils", "1.1"), "jar"),
];

pub(super) fn answer(seen: &Seen) -> Answer {
    if writes(seen) {
        return Answer::status(201);
    }
    for (artifact @ (group, name, version), packaging) in ARTIFACTS {
        let at = format!("/maven/{}/{name}/{version}/{name}-{version}", group.replace('.', "/"));
        if seen.path == format!("{at}.pom") {
            return Answer::text(pom(artifact, packaging));
        }
        if packaging == "jar" && seen.path == format!("{at}.jar") {
            let manifest = "Manifest-Version: 1.0\r\n\r\n";
            let files = [
                ("META-INF/MANIFEST.MF".to_owned(), manifest.as_bytes()),
                (format!("{name}.txt"), name.as_bytes()),
            ];
            return Answer::bytes(archive::zip(&files)).header("content-type", "application/java-archive");
        }
    }
    missing()
}

fn pom(artifact: Coordinates, packaging: &str) -> String {
    let (group, name, version) = artifact;
    let needs = (artifact == ANCHOR).then(|| {
        let (group, name, version) = BALLAST;
        format!(
            "<dependencies><dependency><groupId>{group}</groupId><artifactId>{name}</artifactId>\
             <version>{version}</version></dependency></dependencies>"
        )
    });
    format!(
        "<project xmlns=\"http://maven.apache.org/POM/4.0.0\"><modelVersion>4.0.0</modelVersion>\
         <groupId>{group}</groupId><artifactId>{name}</artifactId><version>{version}</version>\
         <packaging>{packaging}</packaging>{}</project>\n",
        needs.unwrap_or_default()
    )
}
