use proptest::prelude::*;

use super::*;

fn permits(policy: &AddressPolicy, address: &str) -> bool {
    policy.permits(address.parse().expect("the test writes addresses"))
}

#[test]
fn internal_addresses_are_refused_in_every_spelling() {
    let policy = AddressPolicy::default();
    for address in [
        "127.0.0.1",
        "127.255.255.254",
        "0.0.0.0",
        "0.1.2.3",
        "10.0.0.1",
        "100.64.0.1",
        "169.254.169.254",
        "172.16.0.1",
        "172.31.255.255",
        "192.0.0.1",
        "192.168.1.1",
        "168.63.129.16",
        "::ffff:168.63.129.16",
        "198.18.0.1",
        "224.0.0.1",
        "255.255.255.255",
        "::",
        "::1",
        "::127.0.0.1",
        "::ffff:127.0.0.1",
        "::ffff:10.0.0.1",
        "::ffff:169.254.169.254",
        "64:ff9b::127.0.0.1",
        "64:ff9b::a9fe:a9fe",
        "64:ff9b:1::1",
        "2002:7f00:1::1",
        "2002:a00:1::",
        "2001::1",
        "2001:db8::1",
        "fc00::1",
        "fd12:3456::1",
        "fe80::1",
        "fec0::1",
        "ff02::1",
        "100::1",
    ] {
        assert!(!permits(&policy, address), "{address} was permitted");
    }
}

#[test]
fn the_public_internet_is_permitted() {
    let policy = AddressPolicy::default();
    for address in [
        "1.1.1.1",
        "93.184.216.34",
        "172.32.0.1",
        "192.167.255.255",
        "2606:4700::1111",
        "2a00:1450:4001::1",
        "::ffff:8.8.8.8",
        "64:ff9b::8.8.8.8",
        "2002:808:808::1",
    ] {
        assert!(permits(&policy, address), "{address} was refused");
    }
}

#[test]
fn a_network_in_the_settings_is_exempt_and_nothing_else() {
    let policy = AddressPolicy::new(["127.0.0.1/32", "10.1.0.0/16", "fd00::/8"]).expect("these are networks");
    for address in ["127.0.0.1", "::ffff:127.0.0.1", "10.1.255.255", "fd00::7"] {
        assert!(permits(&policy, address), "{address} was refused");
    }
    for address in ["127.0.0.2", "10.2.0.1", "fc00::1", "::1"] {
        assert!(!permits(&policy, address), "{address} was permitted");
    }
}

#[test]
fn what_is_no_network_is_named() {
    let error = AddressPolicy::new(["10.0.0.0/8", "localhost"]).expect_err("localhost is a name");
    assert!(error.to_string().starts_with("`localhost` is not a network"), "{error}");
}

#[test]
fn an_address_is_refused_before_its_host_is_resolved_where_that_is_possible() {
    let policy = AddressPolicy::default();
    let check = |text: &str| policy.check_url(&text.parse().expect("the test writes addresses"));
    let loopback = AddressRefusal::Private(IpAddr::V4(Ipv4Addr::LOCALHOST));
    for spelling in ["http://127.0.0.1/v", "http://2130706433/v", "http://0x7f.1/v", "http://0177.0.0.1/v"] {
        assert_eq!(check(spelling), Err(loopback.clone()), "{spelling}");
    }
    assert!(matches!(check("https://[::ffff:10.0.0.1]/"), Err(AddressRefusal::Private(_))));
    assert_eq!(check("file:///etc/passwd"), Err(AddressRefusal::Scheme("file".into())));
    assert_eq!(check("ftp://example.org/a.mp4"), Err(AddressRefusal::Scheme("ftp".into())));
    assert_eq!(check("https://example.org/a.mp4"), Ok(()));
    assert_eq!(check("http://1.1.1.1/a.mp4"), Ok(()));
}

#[test]
fn the_unspecified_and_the_loopback_address_carry_no_ipv4_address() {
    // `::` and `::1` are written like the IPv4-compatible forms of 0.0.0.0 and 0.0.0.1.
    let policy = AddressPolicy::new(["0.0.0.0/8"]).expect("a network");
    assert!(permits(&policy, "0.0.0.1"));
    for address in ["::", "::1"] {
        assert!(!permits(&policy, address), "{address} was permitted");
    }
}

proptest! {
    #[test]
    fn an_ipv4_address_gets_the_same_answer_in_every_ipv6_form(bits: u32) {
        let v4 = Ipv4Addr::from(bits);
        let [a, b, c, d] = v4.octets().map(u16::from);
        let (high, low) = (a << 8 | b, c << 8 | d);
        let policy = AddressPolicy::default();
        let plain = policy.permits(IpAddr::V4(v4));
        for form in [
            Ipv6Addr::new(0, 0, 0, 0, 0, 0xffff, high, low),
            Ipv6Addr::new(0x64, 0xff9b, 0, 0, 0, 0, high, low),
            Ipv6Addr::new(0x2002, high, low, 0, 0, 0, 0, 1),
        ] {
            prop_assert_eq!(policy.permits(IpAddr::V6(form)), plain, "{}", form);
        }
    }
}

#[test]
fn the_machines_own_public_addresses_are_refused_unless_their_network_is_exempt() {
    let own = ["8.8.8.8", "2600::1"].map(|text| text.parse().expect("the test writes addresses"));
    let policy = AddressPolicy::default().refusing(own);
    for address in ["8.8.8.8", "::ffff:8.8.8.8", "64:ff9b::808:808", "2002:808:808::1", "2600::1"] {
        assert!(!permits(&policy, address), "{address}");
        assert!(permits(&AddressPolicy::default(), address), "{address} of another machine");
    }
    assert!(permits(&policy, "8.8.4.4") && permits(&policy, "2600::2"));
    let exempt = AddressPolicy::new(["8.8.8.0/24"]).expect("a network").refusing(own);
    assert!(permits(&exempt, "8.8.8.8") && !permits(&exempt, "2600::1"));
}
