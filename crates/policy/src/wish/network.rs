//! The tables of a policy that are about the network, as TOML has them: grants and credentials.
//!
//! What is wrong in them is told as one fragment with its cause, since a form error has only one text. What a set of
//! grants holds is not known here.

use crate::net::allow::{AllowEntry, Draft, address, pattern};
use crate::net::budget::{Budget, ByteCount, Rate};
use crate::net::credential::{Credential, CredentialName, Place, SecretName, VarName};
use crate::net::grant::{Grant, GrantOrigin, Methods, Protocol, Protocols, QueryRule, Scheme};
use crate::net::host::{HostPattern, Port};
use crate::net::model::ModelRule;
use serde::Deserialize;
use std::collections::BTreeMap;
use std::error::Error;
use std::net::IpAddr;

/// A `[[grant]]` table.
#[derive(Deserialize)]
#[serde(try_from = "GrantTable")]
pub(super) struct GrantEntry(Grant);

/// One text of `allow = […]`.
#[derive(Deserialize)]
#[serde(try_from = "String")]
pub(super) struct AllowText(AllowEntry);

/// A `[credential.NAME]` table.
#[derive(Deserialize)]
#[serde(deny_unknown_fields, rename_all = "kebab-case")]
pub(super) struct CredentialTable {
    secret: SecretName,
    place: Place,
    #[serde(default)]
    environment: Vec<VarName>,
}

/// What a wish says of the network, taken apart.
pub(super) struct Network {
    pub(super) grants: Vec<Grant>,
    pub(super) sets: Vec<String>,
    pub(super) credentials: Vec<Credential>,
}

impl Network {
    pub(super) fn of(
        grants: Vec<GrantEntry>,
        allow: Vec<AllowText>,
        credentials: BTreeMap<CredentialName, CredentialTable>,
    ) -> Self {
        let mut grants: Vec<Grant> = grants.into_iter().map(|GrantEntry(grant)| grant).collect();
        let mut sets = Vec::new();
        for AllowText(entry) in allow {
            match entry {
                AllowEntry::Grant(grant) => grants.push(*grant),
                AllowEntry::Set(name) => sets.push(name),
            }
        }
        let credentials = credentials.into_iter().map(|(name, table)| {
            let CredentialTable { secret, place, environment } = table;
            Credential { name, secret, place, environment }
        });
        Self { grants, sets, credentials: credentials.collect() }
    }
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields, rename_all = "kebab-case")]
struct GrantTable {
    host: HostPattern,
    port: Option<Port>,
    scheme: Option<Scheme>,
    methods: Option<MethodList>,
    paths: Option<Vec<Pattern>>,
    #[serde(default)]
    query: QueryRule,
    credential: Option<CredentialName>,
    #[serde(default)]
    budget: BudgetTable,
    protocols: Option<ProtocolList>,
    #[serde(default)]
    addresses: Vec<Address>,
    model: Option<Model>,
}

#[derive(Default, Deserialize)]
#[serde(default, deny_unknown_fields)]
struct BudgetTable {
    up: Option<ByteCount>,
    down: Option<ByteCount>,
    requests: Option<u64>,
    rate: Option<Rate>,
}

#[derive(Deserialize)]
#[serde(try_from = "Vec<String>")]
struct MethodList(Methods);

#[derive(Deserialize)]
#[serde(try_from = "Vec<Protocol>")]
struct ProtocolList(Protocols);

#[derive(Deserialize)]
#[serde(try_from = "String")]
struct Pattern(crate::net::path::PathPattern);

#[derive(Deserialize)]
#[serde(try_from = "String")]
struct Address(IpAddr);

#[derive(Deserialize)]
#[serde(try_from = "String")]
struct Model(ModelRule);

impl TryFrom<GrantTable> for GrantEntry {
    type Error = String;

    fn try_from(table: GrantTable) -> Result<Self, String> {
        let BudgetTable { up, down, requests, rate } = table.budget;
        let draft = Draft {
            host: table.host,
            port: table.port,
            scheme: table.scheme,
            methods: table.methods.map(|MethodList(methods)| methods),
            paths: table.paths.map(|paths| paths.into_iter().map(|Pattern(pattern)| pattern).collect()),
            query: table.query,
            credential: table.credential,
            budget: Budget { up, down, requests, rate },
            protocols: table.protocols.map(|ProtocolList(protocols)| protocols),
            addresses: table.addresses.into_iter().map(|Address(address)| address).collect(),
            model: table.model.map(|Model(rule)| rule),
        };
        draft.grant(GrantOrigin::Policy).map(Self).map_err(|error| told(&error))
    }
}

impl TryFrom<String> for AllowText {
    type Error = String;

    fn try_from(text: String) -> Result<Self, String> {
        AllowEntry::parse(&text, GrantOrigin::Policy).map(Self).map_err(|error| told(&error))
    }
}

impl TryFrom<Vec<String>> for MethodList {
    type Error = String;

    fn try_from(names: Vec<String>) -> Result<Self, String> {
        Methods::parse(names.iter().map(String::as_str)).map(Self).map_err(|error| told(&error))
    }
}

impl TryFrom<Vec<Protocol>> for ProtocolList {
    type Error = String;

    fn try_from(protocols: Vec<Protocol>) -> Result<Self, String> {
        Protocols::new(protocols).map(Self).map_err(|error| told(&error))
    }
}

impl TryFrom<String> for Pattern {
    type Error = String;

    fn try_from(text: String) -> Result<Self, String> {
        pattern(&text).map(Self).map_err(|error| told(&error))
    }
}

impl TryFrom<String> for Address {
    type Error = String;

    fn try_from(text: String) -> Result<Self, String> {
        address(&text).map(Self).map_err(|error| told(&error))
    }
}

impl TryFrom<String> for Model {
    type Error = String;

    fn try_from(text: String) -> Result<Self, String> {
        text.parse().map(Self).map_err(|error: crate::net::grant::GrantError| told(&error))
    }
}

/// An error and its causes as one text.
fn told(error: &dyn Error) -> String {
    let causes = std::iter::successors(error.source(), |cause| (**cause).source());
    causes.fold(error.to_string(), |told, cause| format!("{told}: {cause}"))
}
