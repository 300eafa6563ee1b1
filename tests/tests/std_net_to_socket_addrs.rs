//! `std::net::ToSocketAddrs`: each type that has it, and what is no address.

tests::on_each! {
    items {
        use std::io::{self, ErrorKind};
        use std::net::{IpAddr, Ipv4Addr, Ipv6Addr};
        use std::net::{SocketAddr, SocketAddrV4, SocketAddrV6, ToSocketAddrs};

        fn all(addr: impl ToSocketAddrs) -> Vec<SocketAddr> {
            addr.to_socket_addrs().unwrap().collect()
        }

        fn error(addr: impl ToSocketAddrs) -> io::Error {
            match addr.to_socket_addrs() {
                Ok(addrs) => panic!("resolved to {:?}", addrs.collect::<Vec<_>>()),
                Err(error) => error,
            }
        }

        const V4: Ipv4Addr = Ipv4Addr::new(77, 88, 21, 11);
        const V6: Ipv6Addr = Ipv6Addr::new(0x2a02, 0x6b8, 0, 1, 0, 0, 0, 1);
    }

    fn addresses_are_themselves() {
        let (v4, v6) = (SocketAddrV4::new(V4, 80), SocketAddrV6::new(V6, 53, 3, 5));
        assert_eq!(all(v4), [SocketAddr::V4(v4)]);
        assert_eq!(all(v6), [SocketAddr::V6(v6)]);
        assert_eq!(all(SocketAddr::V4(v4)), [SocketAddr::V4(v4)]);
        assert_eq!(all(SocketAddr::V6(v6)), [SocketAddr::V6(v6)]);
    }

    fn an_ip_and_a_port_are_an_address() {
        assert_eq!(all((V4, 80)), [SocketAddr::from((V4, 80))]);
        assert_eq!(all((V6, 80)), [SocketAddr::from((V6, 80))]);
        assert_eq!(all((IpAddr::V4(V4), 80)), [SocketAddr::from((V4, 80))]);
        assert_eq!(all((IpAddr::V6(V6), 80)), [SocketAddr::from((V6, 80))]);
    }

    fn a_slice_is_all_of_its_addresses() {
        let addrs = [SocketAddr::from((V4, 80)), SocketAddr::from((V6, 81))];
        assert_eq!(all(&addrs[..]), addrs);
        assert_eq!(all(&addrs[..0]), []);
    }

    fn numbers_in_strings_are_addresses() {
        assert_eq!(all("77.88.21.11:24352"), [SocketAddr::from((V4, 24352))]);
        assert_eq!(all("[2a02:6b8:0:1::1]:53"), [SocketAddr::from((V6, 53))]);
        let text = String::from("77.88.21.11:1");
        assert_eq!(all(&text), [SocketAddr::from((V4, 1))]);
        assert_eq!(all(text), [SocketAddr::from((V4, 1))]);
        assert_eq!(all(("77.88.21.11", 3)), [SocketAddr::from((V4, 3))]);
        assert_eq!(all(("2a02:6b8:0:1::1", 4)), [SocketAddr::from((V6, 4))]);
        assert_eq!(all((String::from("77.88.21.11"), 5)), [SocketAddr::from((V4, 5))]);
        let scoped = SocketAddrV6::new(V6, 53, 0, 7);
        assert_eq!(all("[2a02:6b8:0:1::1%7]:53"), [SocketAddr::V6(scoped)]);
    }

    fn a_name_is_looked_up() {
        let loopbacks = all("localhost:23924");
        assert!(loopbacks.contains(&SocketAddr::from((Ipv4Addr::LOCALHOST, 23924))));
        assert!(loopbacks.iter().all(|addr| addr.ip().is_loopback()));
        assert_eq!(all(("localhost", 23924)), loopbacks);
        assert_eq!(all((String::from("localhost"), 23924)), loopbacks);
    }

    fn a_string_without_a_port_is_invalid() {
        for text in ["127.0.0.1", "localhost", "", "2a02"] {
            let error = error(text);
            assert_eq!(error.kind(), ErrorKind::InvalidInput);
            assert_eq!(error.to_string(), "invalid socket address");
        }
    }

    fn a_string_with_no_number_for_a_port_is_invalid() {
        for text in ["127.0.0.1:http", "localhost:65536", "localhost:", "localhost:-1", "2a02::x"] {
            let error = error(text);
            assert_eq!(error.kind(), ErrorKind::InvalidInput);
            assert_eq!(error.to_string(), "invalid port value");
        }
    }

    fn a_name_with_a_nul_is_invalid() {
        let error = error("local\0host:80");
        assert_eq!(error.kind(), ErrorKind::InvalidInput);
        assert_eq!(error.to_string(), "file name contained an unexpected NUL byte");
    }

    // A label of a name has 63 characters at most, so nobody need be asked about this one.
    fn a_name_that_cannot_be_is_not_found() {
        let name = "x".repeat(64);
        for error in [error((&*name, 80)), error(format!("{name}:80"))] {
            let plain = ::std::net::ToSocketAddrs::to_socket_addrs(&(&*name, 80)).unwrap_err();
            assert!(error.to_string().starts_with("failed to lookup address information: "));
            assert_eq!(format!("{error:?}"), format!("{plain:?}"));
        }
    }

    fn the_types_of_the_iterators_are_named() {
        fn check<T: ToSocketAddrs<Iter = I> + ?Sized, I: Clone + std::fmt::Debug>() {}
        check::<SocketAddr, std::option::IntoIter<SocketAddr>>();
        check::<SocketAddrV4, std::option::IntoIter<SocketAddr>>();
        check::<SocketAddrV6, std::option::IntoIter<SocketAddr>>();
        check::<(IpAddr, u16), std::option::IntoIter<SocketAddr>>();
        check::<(Ipv4Addr, u16), std::option::IntoIter<SocketAddr>>();
        check::<(Ipv6Addr, u16), std::option::IntoIter<SocketAddr>>();
        check::<(&str, u16), std::vec::IntoIter<SocketAddr>>();
        check::<(String, u16), std::vec::IntoIter<SocketAddr>>();
        check::<str, std::vec::IntoIter<SocketAddr>>();
        check::<String, std::vec::IntoIter<SocketAddr>>();
        check::<&[SocketAddr], std::iter::Cloned<std::slice::Iter<'_, SocketAddr>>>();
        check::<&&str, std::vec::IntoIter<SocketAddr>>();
    }

    fn a_program_can_implement_it() {
        struct Twice(SocketAddr);
        impl ToSocketAddrs for Twice {
            type Iter = std::array::IntoIter<SocketAddr, 2>;
            fn to_socket_addrs(&self) -> io::Result<Self::Iter> {
                Ok([self.0, self.0].into_iter())
            }
        }
        let listener = std::net::TcpListener::bind(Twice((Ipv4Addr::LOCALHOST, 0).into())).unwrap();
        std::net::TcpStream::connect(Twice(listener.local_addr().unwrap())).unwrap();
    }
}
