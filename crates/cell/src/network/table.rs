//! The table that sends connections to the relay, as `nft(8)` would write it:
//!
//! ```text
//! table inet cofferdam {
//!     chain output {
//!         type nat hook output priority dstnat; policy accept;
//!         ip daddr 127.0.0.0/8 accept
//!         ip daddr 198.18.0.2 accept
//!         ip6 daddr ::1 accept
//!         ip6 daddr fd00:c0ff:e::2 accept
//!         meta l4proto tcp redirect to :1
//!         udp dport 53 redirect to :53
//!     }
//! }
//! ```
//!
//! The agent has no power over the namespace that it belongs to, and can neither see nor change it.

use super::listeners::{RELAY_PORT, RESOLVER_PORT};
use super::netlink::{ACKNOWLEDGE, APPEND, Attributes, Batch, CREATE};
use cofferdam_policy::net::addresses::{OWN_V4, OWN_V6};
use rustix::io::Errno;
use rustix::net::netlink;
use std::net::Ipv6Addr;

const TABLE: &str = "cofferdam";
const CHAIN: &str = "output";

// <linux/netfilter/nfnetlink.h>, <linux/netfilter.h>
const SUBSYSTEM: u16 = 10;
const BATCH_BEGIN: u16 = 0x10;
const BATCH_END: u16 = 0x11;
const FAMILY_NONE: u8 = 0;
const FAMILY_INET: u8 = 1;
const FAMILY_V4: u8 = 2;
const FAMILY_V6: u8 = 10;
const HOOK_LOCAL_OUT: u32 = 3;
const PRIORITY_DSTNAT: i32 = -100;
const VERDICT_ACCEPT: u32 = 1;
const TCP: u8 = 6;
const UDP: u8 = 17;

// <linux/netfilter/nf_tables.h>
const NEW_TABLE: u16 = SUBSYSTEM << 8;
const NEW_CHAIN: u16 = (SUBSYSTEM << 8) | 3;
const NEW_RULE: u16 = (SUBSYSTEM << 8) | 6;
const TABLE_NAME: u16 = 1;
const CHAIN_TABLE: u16 = 1;
const CHAIN_NAME: u16 = 3;
const CHAIN_HOOK: u16 = 4;
const CHAIN_POLICY: u16 = 5;
const CHAIN_TYPE: u16 = 7;
const HOOK_NUMBER: u16 = 1;
const HOOK_PRIORITY: u16 = 2;
const RULE_TABLE: u16 = 1;
const RULE_CHAIN: u16 = 2;
const RULE_EXPRESSIONS: u16 = 4;
const LIST_ELEMENT: u16 = 1;
const EXPRESSION_NAME: u16 = 1;
const EXPRESSION_DATA: u16 = 2;
const META_REGISTER: u16 = 1;
const META_KEY: u16 = 2;
const META_PROTOCOL_FAMILY: u32 = 15;
const META_TRANSPORT: u32 = 16;
const PAYLOAD_REGISTER: u16 = 1;
const PAYLOAD_BASE: u16 = 2;
const PAYLOAD_OFFSET: u16 = 3;
const PAYLOAD_LENGTH: u16 = 4;
const BASE_NETWORK: u32 = 1;
const BASE_TRANSPORT: u32 = 2;
const COMPARE_REGISTER: u16 = 1;
const COMPARE_OPERATION: u16 = 2;
const COMPARE_DATA: u16 = 3;
const OPERATION_EQUAL: u32 = 0;
const IMMEDIATE_REGISTER: u16 = 1;
const IMMEDIATE_DATA: u16 = 2;
const DATA_VALUE: u16 = 1;
const DATA_VERDICT: u16 = 2;
const VERDICT_CODE: u16 = 1;
const REDIRECT_PORT_REGISTER: u16 = 1;
const REGISTER_VERDICT: u32 = 0;
const REGISTER_1: u32 = 1;

/// Where a destination begins in a header of IPv4 and IPv6.
const DESTINATION_V4: u32 = 16;
const DESTINATION_V6: u32 = 24;
/// Where the destination port begins in a header of UDP.
const DESTINATION_PORT: u32 = 2;

/// Makes the table; all of it or nothing.
pub(super) fn redirect() -> Result<(), Errno> {
    let mut batch = Batch::default();
    batch.message(BATCH_BEGIN, 0, |message| head(message, FAMILY_NONE, SUBSYSTEM));
    batch.message(NEW_TABLE, CREATE, |table| {
        head(table, FAMILY_INET, 0);
        table.text(TABLE_NAME, TABLE);
    });
    batch.message(NEW_CHAIN, CREATE, |chain| {
        head(chain, FAMILY_INET, 0);
        chain.text(CHAIN_TABLE, TABLE);
        chain.text(CHAIN_NAME, CHAIN);
        chain.nest(CHAIN_HOOK, |hook| {
            hook.number(HOOK_NUMBER, HOOK_LOCAL_OUT);
            hook.bytes(HOOK_PRIORITY, &PRIORITY_DSTNAT.to_be_bytes());
        });
        chain.number(CHAIN_POLICY, VERDICT_ACCEPT);
        chain.text(CHAIN_TYPE, "nat");
    });
    // The first byte is all of 127.0.0.0/8.
    let (own_v4, own_v6) = (OWN_V4.octets(), OWN_V6.octets());
    stays(&mut batch, FAMILY_V4, DESTINATION_V4, &[127]);
    stays(&mut batch, FAMILY_V4, DESTINATION_V4, &own_v4);
    stays(&mut batch, FAMILY_V6, DESTINATION_V6, &Ipv6Addr::LOCALHOST.octets());
    stays(&mut batch, FAMILY_V6, DESTINATION_V6, &own_v6);
    rule(&mut batch, 0, |rule| {
        meta_is(rule, META_TRANSPORT, TCP);
        redirect_to(rule, RELAY_PORT);
    });
    rule(&mut batch, ACKNOWLEDGE, |rule| {
        meta_is(rule, META_TRANSPORT, UDP);
        payload_is(rule, BASE_TRANSPORT, DESTINATION_PORT, &RESOLVER_PORT.to_be_bytes());
        redirect_to(rule, RESOLVER_PORT);
    });
    batch.message(BATCH_END, 0, |message| head(message, FAMILY_NONE, SUBSYSTEM));
    batch.send(Some(netlink::NETFILTER))
}

/// What goes to an address that begins like this is left alone.
fn stays(batch: &mut Batch, family: u8, destination: u32, beginning: &[u8]) {
    rule(batch, 0, |rule| {
        meta_is(rule, META_PROTOCOL_FAMILY, family);
        payload_is(rule, BASE_NETWORK, destination, beginning);
        accept(rule);
    });
}

/// `struct nfgenmsg`.
fn head(message: &mut Attributes<'_>, family: u8, resource: u16) {
    let [high, low] = resource.to_be_bytes();
    message.fixed(&[family, 0, high, low]);
}

fn rule(batch: &mut Batch, flags: u16, expressions: impl FnOnce(&mut Attributes<'_>)) {
    batch.message(NEW_RULE, CREATE | APPEND | flags, |rule| {
        head(rule, FAMILY_INET, 0);
        rule.text(RULE_TABLE, TABLE);
        rule.text(RULE_CHAIN, CHAIN);
        rule.nest(RULE_EXPRESSIONS, expressions);
    });
}

fn expression(rule: &mut Attributes<'_>, name: &str, fill: impl FnOnce(&mut Attributes<'_>)) {
    rule.nest(LIST_ELEMENT, |expression| {
        expression.text(EXPRESSION_NAME, name);
        expression.nest(EXPRESSION_DATA, fill);
    });
}

fn meta_is(rule: &mut Attributes<'_>, key: u32, value: u8) {
    expression(rule, "meta", |meta| {
        meta.number(META_KEY, key);
        meta.number(META_REGISTER, REGISTER_1);
    });
    is_equal(rule, &[value]);
}

fn payload_is(rule: &mut Attributes<'_>, base: u32, offset: u32, value: &[u8]) {
    expression(rule, "payload", |payload| {
        payload.number(PAYLOAD_REGISTER, REGISTER_1);
        payload.number(PAYLOAD_BASE, base);
        payload.number(PAYLOAD_OFFSET, offset);
        payload.number(PAYLOAD_LENGTH, u32::try_from(value.len()).unwrap_or_default());
    });
    is_equal(rule, value);
}

fn is_equal(rule: &mut Attributes<'_>, value: &[u8]) {
    expression(rule, "cmp", |compare| {
        compare.number(COMPARE_REGISTER, REGISTER_1);
        compare.number(COMPARE_OPERATION, OPERATION_EQUAL);
        compare.nest(COMPARE_DATA, |data| data.bytes(DATA_VALUE, value));
    });
}

fn accept(rule: &mut Attributes<'_>) {
    expression(rule, "immediate", |immediate| {
        immediate.number(IMMEDIATE_REGISTER, REGISTER_VERDICT);
        immediate.nest(IMMEDIATE_DATA, |data| {
            data.nest(DATA_VERDICT, |verdict| verdict.number(VERDICT_CODE, VERDICT_ACCEPT));
        });
    });
}

fn redirect_to(rule: &mut Attributes<'_>, port: u16) {
    expression(rule, "immediate", |immediate| {
        immediate.number(IMMEDIATE_REGISTER, REGISTER_1);
        immediate.nest(IMMEDIATE_DATA, |data| data.bytes(DATA_VALUE, &port.to_be_bytes()));
    });
    expression(rule, "redir", |redirect| redirect.number(REDIRECT_PORT_REGISTER, REGISTER_1));
}
